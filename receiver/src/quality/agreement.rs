//! Onsets that are heard beside notes that were played.

use serde::Serialize;

/// How far an onset may lie from its note, in seconds: MIREX, audio onset detection.
const WINDOW: f64 = 0.05;

/// Notes that begin up to this many seconds after one are heard as one onset: S. Böck, F. Krebs and M. Schedl, ISMIR 2012.
const CHORD: f64 = 0.03;

/// How well onsets in the audio agree with the notes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// The stream that plays the notes: the take's own name, or another of its session.
    pub notes_of: String,
    /// Onsets of notes; those within 30 ms are one.
    pub played: u64,
    /// Onsets found in the audio.
    pub heard: u64,
    /// Pairs of both that are at most 50 ms apart, each onset in one pair alone: as many as there can be.
    pub matched: u64,
    /// `matched` of `heard`.
    pub precision: f64,
    /// `matched` of `played`.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f_measure: f64,
    /// By how much onsets in the audio come after their notes, in milliseconds: the median of all pairs.
    pub median_offset_ms: Option<f64>,
}

impl Agreement {
    /// Compares onsets of notes and of audio, both in order, in samples; none where nothing was played or nothing was heard.
    /// `notes_of` names the stream that plays the notes.
    pub fn of(notes_of: &str, played: &[u64], heard: &[u64], sample_rate: f64) -> Option<Self> {
        let played = chords(played, (CHORD * sample_rate) as u64);
        if played.is_empty() || heard.is_empty() {
            return None;
        }
        let mut offsets = pairs(&played, heard, (WINDOW * sample_rate) as u64);
        let matched = offsets.len() as f64;
        let (precision, recall) = (matched / heard.len() as f64, matched / played.len() as f64);
        Some(Self {
            notes_of: notes_of.to_owned(),
            played: played.len() as u64,
            heard: heard.len() as u64,
            matched: offsets.len() as u64,
            precision,
            recall,
            f_measure: if matched > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 },
            median_offset_ms: median(&mut offsets).map(|samples| samples / sample_rate * 1e3),
        })
    }
}

/// Onsets without those that come up to `within` after one that stays.
fn chords(onsets: &[u64], within: u64) -> Vec<u64> {
    let mut chords: Vec<u64> = Vec::new();
    for &onset in onsets {
        if chords.last().is_none_or(|last| onset > last + within) {
            chords.push(onset);
        }
    }
    chords
}

/// The offsets of as many pairs as there can be. On a line, taking the first that fits gives the most.
fn pairs(played: &[u64], heard: &[u64], within: u64) -> Vec<f64> {
    let mut offsets = Vec::new();
    let mut heard = heard.iter().copied().peekable();
    for &onset in played {
        while heard.next_if(|&heard| heard + within < onset).is_some() {}
        if let Some(found) = heard.next_if(|&heard| heard <= onset + within) {
            offsets.push(found as f64 - onset as f64);
        }
    }
    offsets
}

/// The middle value, or the mean of the two in the middle.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length.is_multiple_of(2) => Some((values[middle - 1] + values[middle]) / 2.0),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_heard_late_agrees_and_says_so() {
        let played: Vec<u64> = (1..11).map(|second| second * 48_000).collect();
        let heard: Vec<u64> = played.iter().map(|onset| onset + 960).collect();
        let agreement = Agreement::of("Piano", &played, &heard, 48_000.0).expect("onsets");
        assert_eq!((agreement.f_measure, agreement.median_offset_ms), (1.0, Some(20.0)));
        let heard: Vec<u64> = played.iter().map(|onset| onset + 2401).collect();
        let agreement = Agreement::of("Piano", &played, &heard, 48_000.0).expect("onsets");
        assert_eq!((agreement.f_measure, agreement.median_offset_ms), (0.0, None));
    }

    #[test]
    fn a_chord_is_one_onset() {
        let agreement = Agreement::of("", &[1000, 1100, 2440, 2441], &[1000], 48_000.0).expect("onsets");
        assert_eq!((agreement.played, agreement.matched, agreement.precision, agreement.recall), (2, 1, 1.0, 0.5));
    }

    #[test]
    fn nothing_played_or_nothing_heard_is_no_agreement() {
        assert_eq!(Agreement::of("", &[], &[1], 48_000.0), None);
        assert_eq!(Agreement::of("", &[1], &[], 48_000.0), None);
    }

    #[test]
    fn medians_lie_in_the_middle() {
        assert_eq!(median(&mut []), None);
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&mut [4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    /// The most pairs, by trying every way.
    fn most(played: &[u64], heard: &[u64], within: u64) -> usize {
        let Some((&first, rest)) = played.split_first() else { return 0 };
        let with = (0..heard.len()).filter(|&index| heard[index].abs_diff(first) <= within).map(|index| {
            let others: Vec<u64> = heard.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, &onset)| onset).collect();
            1 + most(rest, &others, within)
        });
        with.chain([most(rest, heard, within)]).max().unwrap_or_default()
    }

    proptest! {
        #[test]
        fn no_way_of_pairing_gives_more_pairs(
            mut played in prop::collection::vec(0_u64..60, 0..6), mut heard in prop::collection::vec(0_u64..60, 0..6),
        ) {
            played.sort_unstable();
            heard.sort_unstable();
            prop_assert_eq!(pairs(&played, &heard, 5).len(), most(&played, &heard, 5));
        }
    }
}
