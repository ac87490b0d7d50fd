//! MIDI messages as they were played, each as its bytes.

use send_learn_protocol::record::MidiKind;

use super::Event;
use crate::store::layout::MidiRow;

const SYSEX_BEGIN: u8 = 0xF0;
const SYSEX_END: u8 = 0xF7;

/// How many bytes the message in a row has; none where the row holds none, or one that MIDI 1.0 does not know.
pub(super) fn length(row: &MidiRow) -> Option<usize> {
    // MIDI 1.0 Detailed Specification, tables 1 and 5.
    let length = match row.status {
        0x80..=0xBF | 0xE0..=0xEF | 0xF2 => 3,
        0xC0..=0xDF | 0xF1 | 0xF3 => 2,
        0xF6 | 0xF8..=0xFF => 1,
        _ => return None,
    };
    let data = &[row.data1, row.data2][..length - 1];
    (row.kind == MidiKind::Message as u8 && data.iter().all(|byte| *byte < 0x80)).then_some(length)
}

/// All messages, system exclusive ones whole. One whose begin or end was lost is left out, and so are CLAP's note
/// expressions, which are no messages.
pub(super) fn events(rows: &[MidiRow], sysex: &[u8]) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::with_capacity(rows.len());
    // Where the last system exclusive message stands. Its parts have its sample, but others may stand between them.
    let mut exclusive = None;
    for row in rows {
        if let Some(length) = length(row) {
            let bytes = [row.status, row.data1, row.data2][..length].to_vec();
            events.push(Event { sample: row.sample, bytes, track: 0 });
        } else if row.kind == MidiKind::SysEx as u8 {
            let bytes = part(row, sysex);
            exclusive = bytes.starts_with(&[SYSEX_BEGIN]).then_some(events.len());
            events.extend(exclusive.map(|_| Event { sample: row.sample, bytes: bytes.to_vec(), track: 0 }));
        } else if row.kind == MidiKind::SysExContinued as u8
            && let Some(begun) = exclusive
            && events[begun].sample == row.sample
        {
            events[begun].bytes.extend_from_slice(part(row, sysex));
        }
    }
    events.retain(|event| event.bytes.first() != Some(&SYSEX_BEGIN) || framed(&event.bytes));
    events
}

/// The bytes that a row points to; none where they are not there.
fn part<'a>(row: &MidiRow, sysex: &'a [u8]) -> &'a [u8] {
    let begin = usize::try_from(row.sysex_offset).unwrap_or(usize::MAX);
    sysex.get(begin..begin.saturating_add(row.sysex_length as usize)).unwrap_or_default()
}

fn framed(bytes: &[u8]) -> bool {
    matches!(bytes, [SYSEX_BEGIN, data @ .., SYSEX_END] if data.iter().all(|byte| *byte < 0x80))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSEX: &[u8] = &[0xF0, 0x7D, 1, 2, 3, 0xF7, 0xF0, 9, 0xF7];

    fn row(sample: u64, kind: MidiKind, [status, data1, data2]: [u8; 3]) -> MidiRow {
        let (kind, note_id) = (kind as u8, -1);
        MidiRow { sample, status, data1, data2, kind, note_id, value: 0.0, sysex_offset: 0, sysex_length: 0 }
    }

    fn exclusive(sample: u64, kind: MidiKind, sysex_offset: u64, sysex_length: u32) -> MidiRow {
        MidiRow { sysex_offset, sysex_length, ..row(sample, kind, [0xF0, 0, 0]) }
    }

    fn bytes(rows: &[MidiRow]) -> Vec<(u64, Vec<u8>)> {
        events(rows, SYSEX).into_iter().map(|event| (event.sample, event.bytes)).collect()
    }

    #[test]
    fn a_message_has_as_many_bytes_as_its_status_says() {
        let messages: &[&[u8]] = &[
            &[0x80, 60, 64],
            &[0x9F, 60, 1],
            &[0xA0, 60, 1],
            &[0xB3, 7, 100],
            &[0xC0, 5],
            &[0xD1, 99],
            &[0xE0, 0, 64],
            &[0xF1, 0x21],
            &[0xF2, 1, 2],
            &[0xF3, 4],
            &[0xF6],
            &[0xF8],
            &[0xFF],
        ];
        for &message in messages {
            let mut padded = [0; 3];
            padded[..message.len()].copy_from_slice(message);
            assert_eq!(bytes(&[row(1, MidiKind::Message, padded)]), [(1, message.to_vec())]);
        }
    }

    #[test]
    fn what_is_no_message_is_passed_over() {
        for no_message in
            [[0x40, 0, 0], [0x90, 0x80, 1], [0x90, 1, 0xFF], [0xC0, 0xC0, 0], [0xF0, 0, 0], [0xF7, 0, 0], [0xF4, 0, 0]]
        {
            assert_eq!(bytes(&[row(1, MidiKind::Message, no_message)]), [], "{no_message:?}");
        }
        assert_eq!(bytes(&[row(1, MidiKind::NoteExpression, [0x90, 60, 1])]), []);
    }

    #[test]
    fn parts_of_a_system_exclusive_message_are_joined() {
        let begin = exclusive(5, MidiKind::SysEx, 0, 3);
        let end = exclusive(5, MidiKind::SysExContinued, 3, 3);
        let clock = row(5, MidiKind::Message, [0xF8, 0, 0]);
        let joined = [(5, SYSEX[..6].to_vec())];
        assert_eq!(bytes(&[begin, end]), joined);
        assert_eq!(bytes(&[begin, clock, end])[..1], joined);
        assert_eq!(bytes(&[begin, clock, end])[1..], [(5, vec![0xF8])]);
    }

    #[test]
    fn a_system_exclusive_message_that_is_not_whole_is_left_out() {
        let begin = exclusive(5, MidiKind::SysEx, 0, 3);
        let end = exclusive(6, MidiKind::SysExContinued, 3, 3);
        assert_eq!(bytes(&[begin]), []);
        assert_eq!(bytes(&[end]), []);
        assert_eq!(bytes(&[begin, end]), [], "it is another one's");
        assert_eq!(bytes(&[exclusive(5, MidiKind::SysEx, 7, 2)]), [], "no begin");
        assert_eq!(bytes(&[exclusive(5, MidiKind::SysEx, 0, 100)]), [], "bytes that are not there");
        assert_eq!(bytes(&[exclusive(5, MidiKind::SysEx, u64::MAX, 2)]), []);
        assert_eq!(bytes(&[exclusive(5, MidiKind::SysEx, 0, 9)]), [], "two that run into one another");
        assert_eq!(bytes(&[exclusive(5, MidiKind::SysEx, 6, 3)]), [(5, SYSEX[6..].to_vec())]);
    }
}
