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
}

impl Score {
    /// Reads the music out of a take's tables. `midi` and `transport` are in order of their samples, `sysex` is what `midi`
    /// points into, `length` the take's samples. Rows that make no sense (a note-off without a note) are passed over.
    pub fn new(midi: &[MidiRow], sysex: &[u8], transport: &[TransportRow], length: u64) -> Self {
        let midi = &midi[..midi.partition_point(|row| row.sample < length)];
        let transport = transport.iter().filter(|row| row.sample < length);
        let moments: Vec<Moment> = transport.map(Moment::read).collect();
        let whole = Music {
            notes: notes::notes(midi, length),
            controls: controls::controls(midi),
            tempos: tempo::tempos(&moments),
            meters: tempo::meters(&moments),
            beats: beats::beats(&moments, length),
            events: events::events(midi, sysex),
            ppq: None,
        };
        let whole = Music { ppq: ppq(&whole.beats, 0), ..whole };
        let keys = Lanes::new(&whole.notes, |note| (note.channel, note.pitch));
        let settings = Lanes::new(&whole.controls, controls::lane);
        Self { whole, keys, settings }
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
        holds.map(|(place, _)| place).chain(places).map(|place| all[place].clone().since(range.start)).collect()
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
        (quarters > 0.0 && (-1.0..=2.0).contains(&share)).then(|| one.ppq + share * quarters)
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
