//! What was played: how many notes, how dense, how complex, at which tempo.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::music::{self, Measures, Music, Note, Tempo};
use crate::sequences::Withheld;

/// Length of the stretches whose density is counted, in seconds.
const STRETCH: f64 = 10.0;

/// Length of the excerpt that is kept for pictures, in seconds.
const EXCERPT: f64 = 16.0;

/// What was played. Counts and measures are those of the whole take; what says which notes and which tempo is told only of what
/// is not withheld.
#[derive(Clone, Debug, Serialize)]
pub struct Playing {
    /// MIDI messages.
    pub midi_events: u64,
    /// Notes, density, polyphony and complexity, as `Measures` of the whole take.
    #[serde(flatten)]
    pub measures: Measures,
    /// The key that the notes suggest; none without notes.
    pub key: Option<String>,
    /// Slowest and fastest tempo and the mean over the take's time; none where the host gave none.
    pub tempo: Option<TempoRange>,
    /// Seconds at each tempo, by quarter notes per minute, rounded.
    pub tempo_seconds: BTreeMap<u32, f64>,
    /// Stretches of 10 s by the notes per second that begin in them, rounded.
    pub density_stretches: BTreeMap<u32, u64>,
    /// Notes of each MIDI key, 0 to 127.
    pub pitches: Vec<u64>,
    /// Notes of each velocity, 0 to 127.
    pub velocities: Vec<u64>,
    /// Its busiest part, for a picture; none without notes.
    #[serde(skip)]
    pub excerpt: Option<Excerpt>,
}

/// Tempo in quarter notes per minute.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TempoRange {
    /// The slowest.
    pub slowest: f64,
    /// The fastest.
    pub fastest: f64,
    /// The mean over the time.
    pub mean: f64,
}

/// Part of a take's notes.
#[derive(Clone, Debug, PartialEq)]
pub struct Excerpt {
    /// Where it begins, in seconds of the take.
    pub begin: f64,
    /// Its length in seconds.
    pub seconds: f64,
    /// Notes in it, in order: onset and length in seconds since its begin, and the note.
    pub notes: Vec<(f64, f64, Note)>,
}

impl Playing {
    /// Measures the music of a take of `frames` samples.
    pub(super) fn of(music: &Music, withheld: &Withheld, frames: u64, sample_rate: f64) -> Self {
        let notes: Vec<Note> = music.notes.iter().filter(|note| !withheld.holds(note.onset)).copied().collect();
        let mut playing = Self {
            midi_events: music.events.len() as u64,
            measures: Measures::of(music, frames, sample_rate),
            key: music::key(&notes).map(|key| key.to_string()),
            tempo: None,
            tempo_seconds: BTreeMap::new(),
            density_stretches: density(&notes, withheld, frames, sample_rate),
            pitches: vec![0; 128],
            velocities: vec![0; 128],
            excerpt: excerpt(&notes, frames, sample_rate),
        };
        for note in &notes {
            playing.pitches[usize::from(note.pitch.min(127))] += 1;
            playing.velocities[usize::from(note.velocity.min(127))] += 1;
        }
        let told = Measures::of(&Music { notes, ..Music::default() }, frames, sample_rate);
        playing.measures.lowest_pitch = told.lowest_pitch;
        playing.measures.highest_pitch = told.highest_pitch;
        let open = withheld.open_in(&(0..frames));
        for (tempo, seconds) in spans(&music.tempos, withheld, frames, sample_rate) {
            *playing.tempo_seconds.entry(tempo.round() as u32).or_default() += seconds;
            let range = playing.tempo.get_or_insert(TempoRange { slowest: tempo, fastest: tempo, mean: 0.0 });
            range.slowest = range.slowest.min(tempo);
            range.fastest = range.fastest.max(tempo);
            range.mean += tempo * seconds * sample_rate / open as f64;
        }
        playing
    }
}

/// Each tempo and how long it held, where nothing is withheld.
fn spans(tempos: &[Tempo], withheld: &Withheld, frames: u64, sample_rate: f64) -> impl Iterator<Item = (f64, f64)> {
    let ends = tempos.iter().skip(1).map(|tempo| tempo.sample).chain([frames]);
    let spans =
        tempos.iter().zip(ends).map(move |(tempo, end)| (tempo.tempo, withheld.open_in(&(tempo.sample..end)) as f64 / sample_rate));
    spans.filter(|(_, seconds)| *seconds > 0.0)
}

/// Stretches by their density, those left aside of which anything is withheld; what is left at the end counts when it is half a
/// stretch at least, or all there is.
fn density(notes: &[Note], withheld: &Withheld, frames: u64, sample_rate: f64) -> BTreeMap<u32, u64> {
    let length = (STRETCH * sample_rate).max(1.0);
    let stretches = ((frames as f64 / length).round() as u64).max(u64::from(frames > 0));
    let mut busy: BTreeMap<u64, u64> = BTreeMap::new();
    for note in notes {
        *busy.entry((note.onset as f64 / length) as u64).or_default() += 1;
    }
    let mut density = BTreeMap::new();
    for open in withheld.others(frames) {
        let first = (open.start as f64 / length).ceil() as u64;
        let end = if open.end == frames { stretches } else { stretches.min((open.end as f64 / length) as u64) };
        let mut quiet = end.saturating_sub(first);
        for (_, &notes) in busy.range(first..end.max(first)) {
            *density.entry((notes as f64 / STRETCH).round() as u32).or_default() += 1;
            quiet -= 1;
        }
        if quiet > 0 {
            *density.entry(0).or_default() += quiet;
        }
    }
    density
}

/// The stretch in which most notes begin, from the first of them on.
fn excerpt(notes: &[Note], frames: u64, sample_rate: f64) -> Option<Excerpt> {
    let length = (EXCERPT * sample_rate) as u64;
    let mut end = 0;
    let count = |first: usize| {
        while notes.get(end).is_some_and(|note| note.onset < notes[first].onset + length) {
            end += 1;
        }
        (end - first, first)
    };
    // Of equally busy ones the first.
    let (_, first) = (0..notes.len()).map(count).max_by_key(|&(count, first)| (count, std::cmp::Reverse(first)))?;
    let begin = notes[first].onset;
    let end = (begin + length).min(frames.max(begin + 1));
    let seconds = |samples: u64| samples as f64 / sample_rate;
    let within = notes[first..].iter().take_while(|note| note.onset < end);
    let place = |note: &Note| {
        let sounding = note.sustained.min(end - note.onset);
        (seconds(note.onset - begin), seconds(sounding), *note)
    };
    Some(Excerpt { begin: seconds(begin), seconds: seconds(end - begin), notes: within.map(place).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 1000.0;

    fn note(onset: u64, pitch: u8) -> Note {
        Note {
            onset,
            duration: 500,
            sustained: 500,
            pitch,
            velocity: 64,
            release_velocity: 64,
            channel: 0,
            track: 0,
            held: false,
            open: false,
        }
    }

    #[test]
    fn tempo_is_weighed_by_time() {
        let tempos = vec![Tempo { sample: 0, tempo: 60.0 }, Tempo { sample: 30_000, tempo: 120.4 }];
        let playing = Playing::of(&Music { tempos, ..Music::default() }, &Withheld::default(), 40_000, RATE);
        let range = playing.tempo.expect("a tempo");
        assert_eq!((range.slowest, range.fastest), (60.0, 120.4));
        assert!((range.mean - 75.1).abs() < 1e-9);
        assert_eq!(playing.tempo_seconds, BTreeMap::from([(60, 30.0), (120, 10.0)]));
    }

    #[test]
    fn density_counts_stretches_with_rests_too() {
        // 20 notes in the first 10 s, 1 in the third, 4 s at the end that do not count.
        let notes: Vec<Note> = (0..20).map(|index| note(index * 100, 60)).chain([note(25_000, 60), note(33_000, 60)]).collect();
        assert_eq!(density(&notes, &Withheld::default(), 34_000, RATE), BTreeMap::from([(2, 1), (0, 2)]));
        assert_eq!(density(&notes[..5], &Withheld::default(), 3_000, RATE), BTreeMap::from([(1, 1)]));
        assert_eq!(density(&[], &Withheld::default(), 0, RATE), BTreeMap::new());
    }

    #[test]
    fn the_excerpt_is_the_busiest_part() {
        let sparse = (0..5).map(|index| note(index * 10_000, 60));
        let busy = (0..50).map(|index| note(60_000 + index * 100, 72));
        let notes: Vec<Note> = sparse.chain(busy).collect();
        let excerpt = excerpt(&notes, 65_200, RATE).expect("notes");
        assert_eq!((excerpt.begin, excerpt.notes.len()), (60.0, 50));
        // The last note reaches to the take's end, not beyond.
        assert_eq!(excerpt.notes[49].1, 0.3);
        assert_eq!(excerpt.seconds, 5.2);
    }

    #[test]
    fn nothing_played_is_nothing_measured() {
        let playing = Playing::of(&Music::default(), &Withheld::default(), 0, RATE);
        assert_eq!((playing.measures.notes, playing.tempo, playing.excerpt), (0, None, None));
        assert!(playing.key.is_none());
    }
}
