//! Reading a take once, in chunks, for all that looks at its samples.

use std::ops::Range;

use send_learn_protocol::record::GapReason;

use super::checksums::Checksums;
use super::delivery::Delivery;
use super::onsets::Finder;
use super::playing::Playing;
use super::sound::{Meter, Sound};
use crate::features::mix_down;
use crate::music::Score;
use crate::sequences::Withheld;
use crate::source::Source;
use crate::store::StoreError;
use crate::store::layout::{AUDIO_CHUNK, BlockRow, GapRow, TransportRow};

/// Frames that are read at a time.
const CHUNK: u64 = 8 * AUDIO_CHUNK as u64;

/// What a take says by itself.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) sound: Option<Sound>,
    pub(super) playing: Playing,
    pub(super) delivery: Delivery,
    /// Seconds that are private.
    pub(super) private_seconds: f64,
    /// Stretches without a gap, in order.
    pub(super) stretches: Vec<Range<u64>>,
    /// Positions of the onsets that were found in the audio, in order.
    pub(super) heard: Vec<u64>,
    /// Positions of the notes' onsets, in order.
    pub(super) played: Vec<u64>,
}

impl Reading {
    /// Reads a take. Its samples pass by in chunks; memory grows with its tables.
    ///
    /// # Errors
    /// [`StoreError`]: one of its files is damaged.
    pub(super) fn of(source: &Source) -> Result<Self, StoreError> {
        let rate = source.summary.sample_rate;
        if !(rate.is_finite() && rate > 0.0) {
            let path = source.files().next().unwrap_or("".as_ref()).to_owned();
            return Err(StoreError::Foreign { path, why: format!("its sample rate is {rate}") });
        }
        let (blocks, gaps) = (source.table::<BlockRow>()?, source.table::<GapRow>()?);
        let stretches = stretches(source.held(), &gaps);
        let mut delivery = Delivery::read(source, &blocks, &gaps)?;
        let (sound, heard) = listen(source, &blocks, &stretches, &mut delivery)?;
        let (midi, sysex) = source.midi()?;
        let score = Score::new(&midi, &sysex, &source.table::<TransportRow>()?, &breaks(&gaps), source.end(), rate);
        let music = score.whole();
        let withheld = Withheld::read(source)?;
        let private = withheld.private().iter().map(|range| range.end - range.start).sum::<u64>();
        let playing = Playing::of(music, &withheld, source.end(), rate);
        let played = music.notes.iter().map(|note| note.onset).collect();
        Ok(Self { sound, playing, delivery, private_seconds: private as f64 / rate, stretches, heard, played })
    }
}

/// Measures the samples and finds onsets in them.
fn listen(
    source: &Source,
    blocks: &[BlockRow],
    stretches: &[Range<u64>],
    delivery: &mut Delivery,
) -> Result<(Option<Sound>, Vec<u64>), StoreError> {
    let (rate, channels) = (source.summary.sample_rate, source.summary.channels);
    if channels == 0 {
        return Ok((None, Vec::new()));
    }
    let mut meter = Meter::new(rate, channels);
    let mut finder = Finder::new(rate);
    let mut checksums = Checksums::new(blocks, channels);
    let mut mono = Vec::new();
    for stretch in stretches {
        meter.interrupt();
        if let Some(finder) = &mut finder {
            finder.begin(stretch.start);
        }
        let mut from = stretch.start;
        while from < stretch.end {
            let to = stretch.end.min(from + CHUNK);
            let samples = source.audio(from..to)?;
            checksums.push(from, &samples);
            meter.push(&samples);
            if let Some(finder) = &mut finder {
                mono.clear();
                mix_down(&samples, channels.into(), &mut mono);
                // What is no number makes no sound.
                mono.iter_mut().filter(|sample| !sample.is_finite()).for_each(|sample| *sample = 0.0);
                finder.push(&mono);
            }
            from = to;
        }
    }
    delivery.checked_blocks = checksums.checked;
    delivery.crc_mismatches = checksums.mismatches;
    Ok((Some(meter.finish()), finder.map(Finder::finish).unwrap_or_default()))
}

/// Where gaps begin and end. Where only the audio ended, the notes go on.
fn breaks(gaps: &[GapRow]) -> Vec<u64> {
    let gaps = gaps.iter().filter(|gap| GapReason::from_wire(gap.reason) != GapReason::EndOfAudio);
    let mut breaks: Vec<u64> = gaps.flat_map(|gap| [gap.sample, gap.sample.saturating_add(gap.frames)]).collect();
    breaks.sort_unstable();
    breaks
}

/// What is held, without the gaps. Parts that follow one another make one stretch.
fn stretches(held: impl Iterator<Item = Range<u64>>, gaps: &[GapRow]) -> Vec<Range<u64>> {
    let mut stretches: Vec<Range<u64>> = Vec::new();
    let mut gaps = gaps.iter().map(|gap| gap.sample..gap.sample.saturating_add(gap.frames)).peekable();
    let mut add = |stretch: Range<u64>| match stretches.last_mut() {
        _ if stretch.is_empty() => {}
        Some(last) if last.end == stretch.start => last.end = stretch.end,
        _ => stretches.push(stretch),
    };
    for held in held {
        let mut from = held.start;
        while let Some(gap) = gaps.peek().filter(|gap| gap.start < held.end) {
            add(from..gap.start.max(from));
            from = from.max(gap.end);
            if gap.end > held.end {
                break;
            }
            gaps.next();
        }
        add(from..held.end.max(from));
    }
    stretches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Span = (u64, u64);

    fn of(held: &[Span], gaps: &[Span]) -> Vec<Span> {
        let range = |&(begin, end): &Span| begin..end;
        let gaps: Vec<GapRow> = gaps.iter().map(|&(sample, end)| GapRow { sample, frames: end - sample, reason: 1 }).collect();
        stretches(held.iter().map(range), &gaps).into_iter().map(|stretch| (stretch.start, stretch.end)).collect()
    }

    #[allow(clippy::single_range_in_vec_init, reason = "a list of one range is meant")]
    #[test]
    fn gaps_and_missing_parts_end_a_stretch_and_parts_that_meet_do_not() {
        assert_eq!(of(&[(0, 10), (10, 20)], &[]), [(0, 20)]);
        assert_eq!(of(&[(0, 10), (15, 20)], &[]), [(0, 10), (15, 20)]);
        assert_eq!(of(&[(0, 10), (10, 20)], &[(3, 5), (9, 12), (19, 20)]), [(0, 3), (5, 9), (12, 19)]);
        assert_eq!(of(&[(0, 10)], &[(0, 10)]), []);
    }

    proptest! {
        #[test]
        fn stretches_are_what_is_held_and_not_missing(
            held in prop::collection::vec((0_u64..5, 1_u64..20), 1..4), gaps in prop::collection::vec((0_u64..9, 1_u64..9), 0..5),
        ) {
            let lay = |steps: &[(u64, u64)]| {
                let mut at = 0;
                steps.iter().map(|&(skip, length)| {
                    let begin = at + skip;
                    at = begin + length;
                    (begin, at)
                }).collect::<Vec<_>>()
            };
            let (held, gaps) = (lay(&held), lay(&gaps));
            let within = |spans: &[Span], sample: u64| spans.iter().any(|&(begin, end)| (begin..end).contains(&sample));
            let expected: Vec<u64> = (0..120).filter(|&sample| within(&held, sample) && !within(&gaps, sample)).collect();
            prop_assert_eq!(of(&held, &gaps).into_iter().flat_map(|(begin, end)| begin..end).collect::<Vec<_>>(), expected);
        }
    }
}
