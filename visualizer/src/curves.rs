//! How controllers, pitch bend, pressure and automation went of late, put together from values that may come out of order.

use std::collections::{BTreeMap, VecDeque};

use crate::source::MidiMessage;

/// The most curves that a stream has; with more, the one that moved last of all goes.
pub const MAX_CURVES: usize = 4;
/// The most points of a curve.
const MAX_POINTS: usize = 8_192;
/// Of the values in so many seconds, the last stays.
const GRAIN: f64 = 0.02;
/// The most names of parameters, and the longest, in characters.
const MAX_NAMES: usize = 1_024;
const MAX_NAME: usize = 48;
/// How far a pitch wheel reaches unless an instrument is told otherwise, in semitones (MIDI 1.0, Registered Parameter 0).
const BEND_REACH: f32 = 2.0;

/// What moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Control {
    /// The pitch wheel of a channel, from 0.
    Bend(u8),
    /// The pressure of a channel.
    Pressure(u8),
    /// A controller of a channel, by number.
    Controller(u8, u8),
    /// A parameter of the plugin, by number.
    Parameter(u32),
}

/// One curve: values from 0 to 1, each from its position on.
#[derive(Clone, Debug)]
pub struct Curve {
    /// What it is of.
    pub control: Control,
    /// By grain of time: the last value in it, and its position in samples.
    points: BTreeMap<u64, (u64, f32)>,
}

/// The curves of a stream, in the order in which they came up.
#[derive(Clone, Debug)]
pub struct Curves {
    curves: VecDeque<Curve>,
    names: BTreeMap<u32, String>,
    grain: u64,
    changes: u64,
}

impl Curve {
    /// The value at `position`; `None` before the first.
    pub fn at(&self, position: f64, grain: u64) -> Option<f32> {
        let cell = (position.max(0.0) as u64) / grain;
        self.points.range(..=cell).next_back().map(|(_, (_, value))| *value)
    }

    fn newest(&self) -> u64 {
        self.points.last_key_value().map_or(0, |(cell, _)| *cell)
    }
}

impl Curves {
    /// Of a stream of `sample_rate` Hz.
    pub fn new(sample_rate: f64) -> Self {
        let grain = (GRAIN * sample_rate).max(1.0) as u64;
        Self { curves: VecDeque::new(), names: BTreeMap::new(), grain, changes: 0 }
    }

    /// The curves.
    pub fn iter(&self) -> impl Iterator<Item = &Curve> {
        self.curves.iter()
    }

    /// Whether nothing has moved.
    pub fn is_empty(&self) -> bool {
        self.curves.is_empty()
    }

    /// Counts the values that came.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Samples that a point stands for.
    pub fn grain(&self) -> u64 {
        self.grain
    }

    /// Takes in a MIDI message; those that move nothing change nothing.
    pub fn push(&mut self, message: MidiMessage) {
        let [status, one, two] = message.bytes;
        let (channel, one, two) = (status & 0x0F, one & 0x7F, two & 0x7F);
        let (control, value) = match (status & 0xF0, one) {
            (0xE0, _) => (Control::Bend(channel), (f32::from(two) * 128.0 + f32::from(one)) / 16_383.0),
            (0xD0, _) => (Control::Pressure(channel), f32::from(one) / 127.0),
            // Bank and data entry, low halves, parameter numbers and channel modes are no movements.
            (0xB0, 0 | 6 | 32..=63 | 96..=101 | 120..) => return,
            (0xB0, number) => (Control::Controller(channel, number), f32::from(two) / 127.0),
            _ => return,
        };
        self.set(control, message.position.0, value);
    }

    /// Takes in the value of a parameter, 0 to 1.
    pub fn automate(&mut self, parameter: u32, position: u64, value: f64) {
        if value.is_finite() {
            self.set(Control::Parameter(parameter), position, value.clamp(0.0, 1.0) as f32);
        }
    }

    /// Takes in the name of a parameter.
    pub fn name_parameter(&mut self, parameter: u32, name: &str) {
        if self.names.len() < MAX_NAMES || self.names.contains_key(&parameter) {
            self.names.insert(parameter, name.chars().take(MAX_NAME).collect());
        }
    }

    fn set(&mut self, control: Control, position: u64, value: f32) {
        let curve = match self.curves.iter().position(|curve| curve.control == control) {
            Some(known) => &mut self.curves[known],
            None => {
                if self.curves.len() == MAX_CURVES {
                    let stillest = (0..MAX_CURVES).min_by_key(|index| self.curves[*index].newest());
                    stillest.and_then(|index| self.curves.remove(index));
                }
                self.curves.push_back(Curve { control, points: BTreeMap::new() });
                let last = self.curves.len() - 1;
                &mut self.curves[last]
            }
        };
        let point = curve.points.entry(position / self.grain).or_insert((position, value));
        if position >= point.0 {
            *point = (position, value);
        }
        if curve.points.len() > MAX_POINTS {
            curve.points.pop_first();
        }
        self.changes += 1;
    }

    /// Forgets what was before `position`, but for what holds there.
    pub fn forget_before(&mut self, position: u64) {
        for curve in &mut self.curves {
            let Some(holds) = curve.points.range(..=position / self.grain).next_back().map(|(cell, _)| *cell) else { continue };
            if curve.points.first_key_value().is_some_and(|(first, _)| *first < holds) {
                curve.points = curve.points.split_off(&holds);
            }
        }
    }

    /// How far the pitch of a channel is bent at `position`, in semitones, by a wheel that reaches two of them.
    pub fn bend(&self, channel: u8, position: f64) -> f32 {
        let wheel = self.curves.iter().find(|curve| curve.control == Control::Bend(channel));
        let value = wheel.and_then(|curve| curve.at(position, self.grain));
        value.map_or(0.0, semitones)
    }

    /// Where the bend of a channel changes between two positions, and to how many semitones, in order.
    pub fn bends(&self, channel: u8, from: u64, to: u64) -> impl Iterator<Item = (u64, f32)> {
        let wheel = self.curves.iter().find(move |curve| curve.control == Control::Bend(channel));
        let cells = from / self.grain + 1..(to / self.grain + 1).max(from / self.grain + 1);
        wheel.into_iter().flat_map(move |curve| curve.points.range(cells.clone()).map(|(_, (at, value))| (*at, semitones(*value))))
    }

    /// What a person calls it.
    pub fn name(&self, control: Control) -> String {
        let channel = |word: &str, channel: u8| if channel == 0 { word.to_owned() } else { format!("{word} ({})", channel + 1) };
        match control {
            Control::Bend(of) => channel("bend", of),
            Control::Pressure(of) => channel("pressure", of),
            Control::Controller(of, number) => match number {
                1 => channel("modulation", of),
                2 => channel("breath", of),
                7 => channel("volume", of),
                10 => channel("pan", of),
                11 => channel("expression", of),
                64 => channel("sustain", of),
                number => channel(&format!("CC {number}"), of),
            },
            Control::Parameter(number) => match self.names.get(&number) {
                Some(name) if !name.is_empty() => name.clone(),
                _ => format!("parameter {number}"),
            },
        }
    }
}

fn semitones(wheel: f32) -> f32 {
    let bend = (wheel * 16_383.0 - 8_192.0) / 8_192.0;
    bend * BEND_REACH
}

#[cfg(test)]
mod tests {
    use send_learn_protocol::units::SamplePosition;

    use super::*;

    fn push(curves: &mut Curves, position: u64, bytes: [u8; 3]) {
        curves.push(MidiMessage { position: SamplePosition(position), bytes });
    }

    fn at(curves: &Curves, position: f64) -> Option<f32> {
        curves.iter().next().and_then(|curve| curve.at(position, curves.grain()))
    }

    #[test]
    fn any_order_of_arrival_gives_the_same_curve() {
        let messages = [(0, [0xB0, 1, 127]), (48_000, [0xB0, 1, 0]), (48_100, [0xB0, 1, 64]), (96_000, [0xB0, 1, 127])];
        let mut straight = Curves::new(48_000.0);
        messages.iter().for_each(|(position, bytes)| push(&mut straight, *position, *bytes));
        let mut back = Curves::new(48_000.0);
        messages.iter().rev().for_each(|(position, bytes)| push(&mut back, *position, *bytes));
        for position in [0.0, 40_000.0, 49_000.0, 95_000.0, 200_000.0] {
            assert_eq!(at(&straight, position), at(&back, position), "{position}");
        }
        assert_eq!((at(&straight, 47_000.0), at(&straight, 90_000.0)), (Some(1.0), Some(64.0 / 127.0)));
    }

    #[test]
    fn the_wheel_bends_two_semitones_each_way() {
        let mut curves = Curves::new(48_000.0);
        push(&mut curves, 0, [0xE3, 0, 64]);
        push(&mut curves, 48_000, [0xE3, 127, 127]);
        push(&mut curves, 96_000, [0xE3, 0, 0]);
        assert_eq!(curves.bend(3, 10.0), 0.0);
        assert!((curves.bend(3, 50_000.0) - 2.0).abs() < 1e-3 && (curves.bend(3, 100_000.0) + 2.0).abs() < 1e-3);
        assert_eq!(curves.bend(0, 50_000.0), 0.0, "another channel's");
        assert_eq!(curves.bends(3, 0, 60_000).map(|(position, _)| position).collect::<Vec<_>>(), [48_000]);
        assert_eq!(curves.name(Control::Bend(3)), "bend (4)");
    }

    #[test]
    fn notes_banks_and_modes_are_no_curves() {
        let mut curves = Curves::new(48_000.0);
        for bytes in [[0x90, 60, 100], [0xB0, 0, 1], [0xB0, 32, 1], [0xB0, 123, 0], [0xB0, 101, 0], [0xC0, 3, 0]] {
            push(&mut curves, 0, bytes);
        }
        curves.automate(7, 0, f64::NAN);
        assert!(curves.is_empty());
    }

    #[test]
    fn memory_stays_bounded_and_what_holds_is_kept() {
        let mut curves = Curves::new(48_000.0);
        for position in 0..20_000_u64 {
            for parameter in 0..6 {
                curves.automate(parameter, position * 1_000, 0.25);
            }
            curves.name_parameter(position as u32, "Cutoff");
        }
        assert!(curves.curves.len() <= MAX_CURVES && curves.names.len() <= MAX_NAMES);
        assert!(curves.iter().all(|curve| curve.points.len() <= MAX_POINTS));
        curves.forget_before(u64::MAX);
        assert!(curves.iter().all(|curve| curve.points.len() == 1));
        assert_eq!(at(&curves, f64::MAX), Some(0.25));
        assert_eq!(curves.name(Control::Parameter(3)), "Cutoff");
    }
}
