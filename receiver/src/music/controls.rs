//! Controllers, bends, pressures and programs: everything that holds until it changes.

use std::collections::BTreeMap;

use super::{Control, ControlKind, events};
use crate::store::layout::MidiRow;

/// From this number on a controller is a channel mode (MIDI 1.0): a message, not a value that holds.
const FIRST_MODE: u8 = 120;
const RESET_ALL_CONTROLLERS: u8 = 121;

/// The middle of the 14 bits of a pitch bend, and their largest value.
const BEND_MIDDLE: f64 = 8192.0;
const BEND_MAX: f64 = 16_383.0;

/// All changes in order. Where a channel's controllers are reset, those that it had changed since the last of the `breaks` go back.
pub(super) fn controls(rows: &[MidiRow], breaks: &[u64]) -> Vec<Control> {
    let mut controls = Vec::new();
    let mut held: BTreeMap<Lane, Control> = BTreeMap::new();
    let mut breaks = breaks.iter().peekable();
    for row in rows.iter().filter(|row| events::length(row).is_some()) {
        while breaks.next_if(|at| **at <= row.sample).is_some() {
            held.clear();
        }
        if let Some(control) = read(row) {
            held.insert(lane(&control), control);
            controls.push(control);
        } else if (row.status & 0xF0, row.data1) == (0xB0, RESET_ALL_CONTROLLERS) {
            let channel = row.status & 0x0F;
            for control in held.values_mut().filter(|control| control.channel == channel) {
                let value = reset(control).unwrap_or(control.value);
                if value != control.value {
                    *control = Control { sample: row.sample, value, ..*control };
                    controls.push(*control);
                }
            }
        }
    }
    controls
}

/// What changes of one lane replace one another.
type Lane = (u8, u8, u8);

/// The lane of a change: its kind, channel and number.
pub(super) fn lane(control: &Control) -> Lane {
    (control.kind as u8, control.channel, control.number)
}

fn read(row: &MidiRow) -> Option<Control> {
    let seven_bits = |bits: u8| full_resolution(row, f64::from(bits) / 127.0);
    let (kind, number, value) = match row.status & 0xF0 {
        0xA0 => (ControlKind::KeyPressure, row.data1, seven_bits(row.data2)),
        0xB0 if row.data1 < FIRST_MODE => (ControlKind::Controller, row.data1, seven_bits(row.data2)),
        0xC0 => (ControlKind::Program, 0, f64::from(row.data1)),
        0xD0 => (ControlKind::ChannelPressure, 0, seven_bits(row.data1)),
        0xE0 => (ControlKind::PitchBend, 0, bend(row)),
        _ => return None,
    };
    Some(Control { sample: row.sample, kind, channel: row.status & 0x0F, number, value, track: 0 })
}

/// The host's value, where it says more than the bytes, which mean `coarse`. Hosts pass values on in single precision: one
/// that was made of the bytes is taken for what it was.
fn full_resolution(row: &MidiRow, coarse: f64) -> f64 {
    if row.value == 0.0 || !row.value.is_finite() || row.value as f32 == coarse as f32 { coarse } else { row.value.clamp(0.0, 1.0) }
}

/// -1 to 1. The bytes have no exact 1: their middle is a hair above that of their range.
fn bend(row: &MidiRow) -> f64 {
    let bits = f64::from(row.data1) + 128.0 * f64::from(row.data2);
    let coarse = bits / BEND_MAX;
    let fine = full_resolution(row, coarse);
    if fine == coarse { (bits - BEND_MIDDLE) / BEND_MIDDLE } else { 2.0 * fine - 1.0 }
}

/// What "reset all controllers" sets: MIDI Recommended Practice 015 (1999). None for what it leaves alone.
fn reset(control: &Control) -> Option<f64> {
    match (control.kind, control.number) {
        (ControlKind::Program, _) => None,
        (ControlKind::PitchBend | ControlKind::ChannelPressure | ControlKind::KeyPressure, _) => Some(0.0),
        // Modulation and the pedals.
        (ControlKind::Controller, 1 | 64..=67) => Some(0.0),
        // Expression, and the numbers of parameters: the null parameter.
        (ControlKind::Controller, 11 | 98..=101) => Some(1.0),
        (ControlKind::Controller, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sample: u64, [status, data1, data2]: [u8; 3], value: f64) -> MidiRow {
        MidiRow { sample, status, data1, data2, kind: 0, note_id: -1, value, sysex_offset: 0, sysex_length: 0 }
    }

    fn value(bytes: [u8; 3], value: f64) -> f64 {
        controls(&[row(0, bytes, value)], &[])[0].value
    }

    #[test]
    fn every_kind_is_read() {
        let rows = [
            row(1, [0xA2, 60, 127], 0.0),
            row(2, [0xB3, 7, 127], 0.0),
            row(3, [0xC4, 5, 0], 0.0),
            row(4, [0xD5, 127, 0], 0.0),
            row(5, [0xE6, 0, 0], 0.0),
            row(6, [0x90, 60, 1], 0.0),
        ];
        let read: Vec<_> = controls(&rows, &[]).iter().map(|c| (c.sample, c.kind, c.channel, c.number, c.value)).collect();
        let expected = [
            (1, ControlKind::KeyPressure, 2, 60, 1.0),
            (2, ControlKind::Controller, 3, 7, 1.0),
            (3, ControlKind::Program, 4, 0, 5.0),
            (4, ControlKind::ChannelPressure, 5, 0, 1.0),
            (5, ControlKind::PitchBend, 6, 0, -1.0),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn the_hosts_resolution_is_kept_and_bytes_stay_what_they_are() {
        assert_eq!(value([0xB0, 1, 64], 0.0), 64.0 / 127.0);
        assert_eq!(value([0xB0, 1, 64], f64::from(64.0_f32 / 127.0)), 64.0 / 127.0);
        assert_eq!(value([0xB0, 1, 64], 0.505), 0.505);
        assert_eq!(value([0xB0, 1, 64], f64::NAN), 64.0 / 127.0);
        assert_eq!(value([0xB0, 1, 127], 7.0), 1.0);
        assert_eq!(value([0xE0, 0, 64], 0.0), 0.0);
        assert_eq!(value([0xE0, 0, 64], f64::from(8192.0_f32 / 16_383.0)), 0.0);
        assert_eq!(value([0xE0, 0, 64], 0.5), 0.0);
        assert_eq!(value([0xE0, 0, 96], 0.0), 0.5);
        assert_eq!(value([0xE0, 127, 127], 0.0), 8191.0 / 8192.0);
        assert_eq!(value([0xE0, 0, 96], 0.750_1), 2.0 * 0.750_1 - 1.0);
    }

    #[test]
    fn channel_modes_are_no_controllers() {
        let modes: Vec<_> = (120..=127).map(|mode| row(0, [0xB0, mode, 127], 0.0)).collect();
        assert_eq!(controls(&modes, &[]), []);
    }

    #[test]
    fn a_reset_takes_back_what_its_channel_changed() {
        let rows = [
            row(1, [0xB0, 1, 127], 0.0),
            row(2, [0xB0, 7, 10], 0.0),
            row(3, [0xB0, 11, 0], 0.0),
            row(4, [0xE0, 0, 96], 0.0),
            row(5, [0xC0, 9, 0], 0.0),
            row(6, [0xB0, 64, 0], 0.0),
            row(7, [0xB1, 1, 127], 0.0),
            row(9, [0xB0, 121, 0], 0.0),
            row(9, [0xB0, 121, 0], 0.0),
        ];
        let reset: Vec<_> = controls(&rows, &[])[7..].iter().map(|c| (c.sample, c.kind, c.channel, c.number, c.value)).collect();
        let expected = [
            (9, ControlKind::Controller, 0, 1, 0.0),
            (9, ControlKind::Controller, 0, 11, 1.0),
            (9, ControlKind::PitchBend, 0, 0, 0.0),
        ];
        assert_eq!(reset, expected);
        assert_eq!(controls(&rows, &[8])[7..], [], "what held before a break is not known after it");
    }
}
