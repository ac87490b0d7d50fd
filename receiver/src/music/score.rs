//! The music of a take, and windows of it.

use std::ops::Range;

use super::lanes::Lanes;
use super::moment::Moment;
use super::{Beat, Control, Event, Meter, Music, Note, Tempo, beats, controls, events, notes, tempo};
use crate::store::layout::{MidiRow, TransportRow};

/// The music of a take, made once.
#[derive(Clone, Debug, Default)]
pub struct Score {
    whole: Music,
    /// Notes by channel and key: no two of a lane sound at once.
    keys: Lanes,
    /// Controls by what they change.
    settings: Lanes,
    /// Nothing that sounds or holds before one of these is known after it; in order.
    breaks: Vec<u64>,
}

impl Score {
    /// Reads the music out of a take's tables. `midi` and `transport` are in order of their samples, `sysex` is what `midi`
    /// points into, `length` the take's samples, `sample_rate` samples per second. `breaks` are samples, in order, where what sounds
    /// ends and what holds is forgotten: begins and ends of gaps, and of what is private. Rows that make no sense (a note-off without
    /// a note) are passed over.
    pub fn new(midi: &[MidiRow], sysex: &[u8], transport: &[TransportRow], breaks: &[u64], length: u64, sample_rate: f64) -> Self {
        let midi = &midi[..midi.partition_point(|row| row.sample < length)];
        let transport = transport.iter().filter(|row| row.sample < length);
        let moments: Vec<Moment> = transport.map(Moment::read).collect();
        let whole = Music {
            notes: notes::notes(midi, breaks, length),
            controls: controls::controls(midi, breaks),
            tempos: tempo::tempos(&moments),
            meters: tempo::meters(&moments),
            beats: beats::beats(&moments, length, sample_rate),
            events: events::events(midi, sysex),
            ppq: None,
        };
        let whole = Music { ppq: ppq(&whole.beats, 0), ..whole };
        let keys = Lanes::new(&whole.notes, |note| (note.channel, note.pitch));
        let settings = Lanes::new(&whole.controls, controls::lane);
        Self { whole, keys, settings, breaks: breaks.to_vec() }
    }

    /// The music of the whole take.
    pub fn whole(&self) -> &Music {
        &self.whole
    }

    /// The music of the samples in `range`, counted from its begin. Takes time for what is in the window, not for the take.
    pub fn window(&self, range: Range<u64>) -> Music {
        if range.is_empty() {
            return Music::default();
        }
        Music {
            notes: self.notes(&range),
            controls: self.controls(&range),
            tempos: map(&self.whole.tempos, &range),
            meters: map(&self.whole.meters, &range),
            beats: within(&self.whole.beats, &range),
            events: within(&self.whole.events, &range),
            ppq: ppq(&self.whole.beats, range.start),
        }
    }

    fn notes(&self, range: &Range<u64>) -> Vec<Note> {
        let all = &self.whole.notes;
        let places = places(all, range);
        let held = self.keys.last_before(places.start).into_iter().map(|(place, _)| all[place]);
        let held = held.filter(|note| note.onset + note.sustained > range.start);
        held.chain(all[places].iter().copied()).map(|note| cut(note, range)).collect()
    }

    fn controls(&self, range: &Range<u64>) -> Vec<Control> {
        let all = &self.whole.controls;
        let places = places(all, range);
        let before = self.settings.last_before(places.start).into_iter();
        // A value that changes where the window begins holds no more.
        let holds = before.filter(|(_, next)| next.is_none_or(|next| all[next].sample > range.start));
        let known = self.breaks[..self.breaks.partition_point(|at| *at <= range.start)].last().copied().unwrap_or_default();
        let holds = holds.filter(|(place, _)| all[*place].sample >= known);
        holds.map(|(place, _)| place).chain(places).map(|place| all[place].since(range.start)).collect()
    }
}

/// The playhead at `sample` in quarter notes, by the two beats around it, or the two nearest ones where it stands or jumps on one side;
/// `None` where no beat is near.
fn ppq(beats: &[Beat], sample: u64) -> Option<f64> {
    let after = beats.partition_point(|beat| beat.sample <= sample);
    [after, after + 1, after.wrapping_sub(1)].into_iter().find_map(|second| {
        let (one, two) = (beats.get(second.checked_sub(1)?)?, beats.get(second)?);
        let (samples, quarters) = (two.sample as f64 - one.sample as f64, two.ppq - one.ppq);
        let share = (sample as f64 - one.sample as f64) / samples;
        (quarters > 0.0 && (-1.0..=2.0).contains(&share)).then_some(one.ppq + share * quarters)
    })
}

/// A note as a window shows it.
fn cut(note: Note, range: &Range<u64>) -> Note {
    let until = |duration: u64| (note.onset + duration).min(range.end).saturating_sub(note.onset.max(range.start));
    Note {
        onset: note.onset.saturating_sub(range.start),
        duration: until(note.duration),
        sustained: until(note.sustained),
        held: note.onset < range.start,
        ..note
    }
}

/// Something at a sample.
trait Placed: Clone {
    fn sample(&self) -> u64;

    /// The same, in samples since `begin`; at 0 where it was before.
    #[must_use]
    fn since(self, begin: u64) -> Self;
}

macro_rules! placed {
    ($($type:ty: $field:ident),*) => {$(
        impl Placed for $type {
            fn sample(&self) -> u64 {
                self.$field
            }

            fn since(mut self, begin: u64) -> Self {
                self.$field = self.$field.saturating_sub(begin);
                self
            }
        }
    )*};
}

placed!(Note: onset, Control: sample, Tempo: sample, Meter: sample, Beat: sample, Event: sample);

/// The places in `list` of what lies in the window.
fn places<T: Placed>(list: &[T], range: &Range<u64>) -> Range<usize> {
    let before = |end: u64| list.partition_point(|entry| entry.sample() < end);
    before(range.start)..before(range.end)
}

fn within<T: Placed>(list: &[T], range: &Range<u64>) -> Vec<T> {
    list[places(list, range)].iter().map(|entry| entry.clone().since(range.start)).collect()
}

/// As [`within`], with what holds at the window's begin.
fn map<T: Placed>(list: &[T], range: &Range<u64>) -> Vec<T> {
    let end = places(list, range).end;
    let begin = list.partition_point(|entry| entry.sample() <= range.start).saturating_sub(1);
    list[begin.min(end)..end].iter().map(|entry| entry.clone().since(range.start)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use send_learn_protocol::record::TransportFlags;

    use super::*;
    use crate::music::ControlKind;

    const LENGTH: u64 = 1000;

    fn midi(sample: u64, [status, data1, data2]: [u8; 3]) -> MidiRow {
        MidiRow { sample, status, data1, data2, kind: 0, note_id: -1, value: 0.0, sysex_offset: 0, sysex_length: 0 }
    }

    /// A host at 4,000 samples a second that rolls at 120 quarter notes a minute: a beat each 2,000 samples.
    fn transport(sample: u64, tempo: f64) -> TransportRow {
        let flags = TransportFlags::default();
        let given = [TransportFlags::PLAYING, TransportFlags::TEMPO, TransportFlags::METER, TransportFlags::PLAYHEAD];
        let given = given.into_iter().chain([TransportFlags::SECONDS, TransportFlags::PPQ]);
        TransportRow {
            sample,
            flags: given.fold(flags, |flags, flag| flags.with(flag, true)).0,
            numerator: 4,
            denominator: 4,
            bar: 0,
            tempo,
            playhead: sample as i64,
            seconds: sample as f64 / 4000.0,
            ppq: sample as f64 / 2000.0,
            bar_start: 0.0,
            loop_start: 0.0,
            loop_end: 0.0,
        }
    }

    fn score(midi: &[MidiRow]) -> Score {
        Score::new(midi, &[], &[], &[], LENGTH, 4_000.0)
    }

    #[test]
    fn a_held_note_begins_with_the_window_and_is_cut_at_its_end() {
        let score = score(&[midi(100, [0x90, 60, 1]), midi(500, [0x80, 60, 0]), midi(500, [0x90, 61, 1])]);
        let note = |range: Range<u64>| score.window(range).notes.first().map(|note| (note.onset, note.duration, note.held));
        assert_eq!(note(0..100), None);
        assert_eq!(note(0..101), Some((100, 1, false)));
        assert_eq!(note(100..1000), Some((0, 400, false)));
        assert_eq!(note(101..200), Some((0, 99, true)));
        assert_eq!(note(499..500), Some((0, 1, true)));
        let rest = score.window(500..1000).notes;
        assert_eq!(rest.iter().map(|note| (note.pitch, note.held)).collect::<Vec<_>>(), [(61, false)]);
    }

    #[test]
    fn a_note_that_only_the_pedal_holds_has_no_duration() {
        let pedal = |value| [0xB0, 64, value];
        let score = score(&[midi(0, pedal(127)), midi(1, [0x90, 60, 1]), midi(9, [0x80, 60, 0]), midi(50, pedal(0))]);
        let note = score.window(10..20).notes[0];
        assert_eq!((note.duration, note.sustained, note.held, note.open), (0, 10, true, false));
        assert!(score.window(50..60).notes.is_empty());
    }

    #[test]
    fn controls_at_0_state_what_holds() {
        let rows = [
            midi(10, [0xB0, 0, 1]),
            midi(10, [0xC0, 5, 0]),
            midi(20, [0xB0, 7, 127]),
            midi(30, [0xB0, 7, 0]),
            midi(40, [0xB1, 7, 127]),
            midi(50, [0xE0, 0, 0]),
            midi(60, [0xE0, 0, 64]),
        ];
        let score = score(&rows);
        let window = |range| -> Vec<_> {
            let controls = score.window(range).controls;
            controls.iter().map(|control| (control.sample, control.kind, control.channel, control.value)).collect()
        };
        let expected = [
            (0, ControlKind::Controller, 0, 1.0 / 127.0),
            (0, ControlKind::Program, 0, 5.0),
            (0, ControlKind::Controller, 0, 0.0),
            (0, ControlKind::Controller, 1, 1.0),
            (5, ControlKind::PitchBend, 0, -1.0),
        ];
        assert_eq!(window(45..60), expected);
        // What changes where the window begins did not hold in it.
        assert_eq!(window(60..61).last(), Some(&(0, ControlKind::PitchBend, 0, 0.0)));
        assert_eq!(window(60..61).len(), 5);
        assert_eq!(window(0..10), []);
    }

    #[test]
    fn nothing_is_carried_over_a_break() {
        let rows = [midi(10, [0xB0, 7, 1]), midi(10, [0x90, 60, 1]), midi(50, [0xB0, 1, 9]), midi(55, [0x90, 61, 1])];
        let score = Score::new(&rows, &[], &[], &[40, 60], LENGTH, 4_000.0);
        let window = |range| score.window(range);
        let counts = |range| {
            let music = window(range);
            (music.notes.len(), music.controls.len())
        };
        assert_eq!(counts(39..40), (1, 1));
        assert_eq!([counts(40..41), counts(60..61), counts(900..LENGTH)], [(0, 0); 3]);
    }

    #[test]
    fn maps_begin_at_0_and_beats_and_events_count_from_the_windows_begin() {
        let rows = [transport(0, 120.0), transport(4000, 120.0), transport(8000, 60.0)];
        let score = Score::new(&[midi(2500, [0xF8, 0, 0])], &[], &rows, &[], 12_000, 4_000.0);
        let window = score.window(2500..9000);
        assert_eq!(window.tempos, [Tempo { sample: 0, tempo: 120.0 }, Tempo { sample: 5500, tempo: 60.0 }]);
        assert_eq!(window.meters, [Meter { sample: 0, numerator: 4, denominator: 4 }]);
        let beats: Vec<_> = window.beats.iter().map(|beat| (beat.sample, beat.ppq, beat.bar, beat.beat)).collect();
        assert_eq!(beats, [(1500, 2.0, 0, 2), (3500, 3.0, 0, 3), (5500, 4.0, 1, 0)]);
        assert_eq!(window.events, [Event { sample: 0, bytes: vec![0xF8], track: 0 }]);
        assert_eq!(score.window(8000..8001).tempos, [Tempo { sample: 0, tempo: 60.0 }]);
    }

    #[test]
    fn what_lies_beyond_the_take_is_passed_over() {
        let beyond = Score::new(&[midi(LENGTH, [0x90, 60, 1])], &[], &[transport(LENGTH, 120.0)], &[], LENGTH, 4_000.0);
        assert_eq!(beyond.whole(), &Music::default());
        assert_eq!(score(&[midi(10, [0x90, 60, 1])]).window(0..5000).notes[0].duration, LENGTH - 10);
        let reversed = Range { start: 20, end: 10 };
        assert_eq!(score(&[midi(10, [0x90, 60, 1])]).window(reversed), Music::default());
        assert_eq!(Score::default().window(0..10), Music::default());
    }

    /// Random messages of few keys and controllers, so that they meet.
    fn rows() -> impl Strategy<Value = Vec<MidiRow>> {
        let status = prop::sample::select(vec![0x80_u8, 0x81, 0x90, 0x91, 0xA0, 0xB0, 0xC0, 0xE0]);
        let message = (0..LENGTH, status, prop::sample::select(vec![1_u8, 60, 64, 120, 121, 123]), 0..128_u8);
        prop::collection::vec(message, 0..200).prop_map(|mut messages| {
            messages.sort_by_key(|message| message.0);
            messages.into_iter().map(|(sample, status, data1, data2)| midi(sample, [status, data1, data2])).collect()
        })
    }

    #[test]
    fn a_note_held_over_three_hours_is_in_every_window() {
        let (length, notes) = (3 * 3600 * 48_000_u64, 500_000_u64);
        let pair = |note: u64| {
            let key = 40 + (note % 48) as u8;
            [midi(note * (length / notes), [0x91, key, 1]), midi(note * (length / notes) + 900, [0x81, key, 0])]
        };
        // One note sounds from begin to end.
        let rows: Vec<_> = std::iter::once(midi(0, [0x90, 60, 1])).chain((0..notes).flat_map(pair)).collect();
        let score = Score::new(&rows, &[], &[], &[], length, 4_000.0);
        let (started, step) = (std::time::Instant::now(), 25 * 48_000);
        let windows: Vec<_> = (0..length).step_by(step).map(|begin| score.window(begin..begin + 30 * 48_000)).collect();
        println!("{} windows in {:?}", windows.len(), started.elapsed());
        let first = |window: &Music| (window.notes[0].channel, window.notes[0].onset, window.notes[0].held);
        assert!(windows.iter().enumerate().all(|(number, window)| first(window) == (0, 0, number > 0)));
    }

    proptest! {
        #[test]
        fn windows_that_tile_a_take_have_each_note_once_and_sum_up_to_it(rows in rows(), step in 1..400_u64) {
            let score = score(&rows);
            let whole = score.whole();
            let (mut begun, mut durations, mut sustained, mut events) = (Vec::new(), 0, 0, Vec::new());
            for begin in (0..LENGTH).step_by(step as usize) {
                let window = score.window(begin..(begin + step).min(LENGTH));
                for note in &window.notes {
                    prop_assert!(note.onset + note.sustained <= step && note.duration <= note.sustained);
                    prop_assert!(!note.held || (note.onset == 0 && note.sustained > 0));
                    durations += note.duration;
                    sustained += note.sustained;
                }
                begun.extend(window.notes.iter().filter(|note| !note.held).map(|note| (note.onset + begin, note.pitch, note.velocity)));
                events.extend(window.events.into_iter().map(|event| Event { sample: event.sample + begin, ..event }));
            }
            let notes: Vec<_> = whole.notes.iter().map(|note| (note.onset, note.pitch, note.velocity)).collect();
            prop_assert_eq!(begun, notes);
            prop_assert_eq!(durations, whole.notes.iter().map(|note| note.duration).sum::<u64>());
            prop_assert_eq!(sustained, whole.notes.iter().map(|note| note.sustained).sum::<u64>());
            prop_assert_eq!(&events, &whole.events);
        }

        #[test]
        fn a_window_is_what_a_walk_through_the_whole_take_finds(rows in rows(), begin in 0..LENGTH, length in 1..LENGTH) {
            let score = score(&rows);
            let range = begin..begin + length;
            let window = score.window(range.clone());
            let sounds = |note: &&Note| note.onset < range.end && (note.onset >= begin || note.onset + note.sustained > begin);
            let notes: Vec<_> = score.whole().notes.iter().filter(sounds).map(|note| cut(*note, &range)).collect();
            prop_assert_eq!(&window.notes, &notes);
            let mut holds: Vec<Control> = Vec::new();
            for control in score.whole().controls.iter().filter(|control| control.sample < range.end) {
                if control.sample <= begin {
                    holds.retain(|other| controls::lane(other) != controls::lane(control) || other.sample == begin);
                }
                holds.push(*control);
            }
            let holds: Vec<_> = holds.into_iter().map(|control| control.since(begin)).collect();
            prop_assert_eq!(&window.controls, &holds);
        }

        #[test]
        fn nonsense_is_survived(
            rows in prop::collection::vec((0..5_u64, any::<[u8; 4]>(), any::<f64>(), any::<(u64, u32)>()), 0..100),
            moments in prop::collection::vec((0..5_u64, any::<u16>(), any::<(u16, u16)>(), any::<[f64; 5]>(), any::<i64>()), 0..50),
            sysex in any::<Vec<u8>>(),
            mut breaks in prop::collection::vec(0..400_u64, 0..4),
        ) {
            breaks.sort_unstable();
            let (mut sample, mut at) = (0, 0);
            let midi: Vec<_> = rows.into_iter().map(|(step, [status, data1, data2, kind], value, (sysex_offset, sysex_length))| {
                sample += step;
                let kind = kind % 5;
                MidiRow { sample, status, data1, data2, kind, note_id: -1, value, sysex_offset, sysex_length }
            }).collect();
            let moments: Vec<_> = moments.into_iter().map(|(step, flags, (numerator, denominator), values, playhead)| {
                at += step;
                let [tempo, seconds, ppq, loop_start, loop_end] = values;
                let denominator = 1 << (denominator % 8);
                TransportRow {
                    sample: at, flags, numerator, denominator, bar: 0, tempo, playhead, seconds, ppq, bar_start: 0.0, loop_start, loop_end,
                }
            }).collect();
            let score = Score::new(&midi, &sysex, &moments, &breaks, 300, 48_000.0);
            let window = score.window(100..200);
            prop_assert!(window.beats.len() <= 100);
            let measures = crate::music::Measures::of(&window, 100, 48_000.0);
            prop_assert!(measures.complexity >= 0.0 && measures.complexity <= 1.0);
        }
    }
}
