//! Which sequences there are: windows on the common timeline, and why others were left out.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::performance::{self, Performance};
use super::profile::Profile;
use super::{Settings, Split};
use crate::source::Sources;
use crate::store::StoreError;

/// Why a window was left out. The first reason that holds is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Consent was refused.
    Refused,
    /// Nobody stated consent.
    Consent,
    /// It is private: marked so, or not sent for it.
    Private,
    /// The plugin was bypassed.
    Bypass,
    /// Capture was switched off.
    CaptureOff,
    /// Samples are missing.
    Gap,
    /// Fewer MIDI events than asked for.
    FewEvents,
    /// The take is shorter than a window.
    ShortTake,
    /// The take is longer than a window, but none of the session's lies wholly in it.
    OffGrid,
    /// The take has no whole window in the range that was asked for.
    OffRange,
}

impl Reason {
    /// In words, as they follow "left out:".
    pub fn words(self) -> &'static str {
        match self {
            Self::Refused => "consent was refused",
            Self::Consent => "no consent stated",
            Self::Private => "private",
            Self::Bypass => "bypassed",
            Self::CaptureOff => "capture was off",
            Self::Gap => "samples missing",
            Self::FewEvents => "too few MIDI events",
            Self::ShortTake => "take shorter than a sequence",
            Self::OffGrid => "take without a whole window of its session",
            Self::OffRange => "take without a whole window of the range",
        }
    }
}

/// Notes of another take for a planned sequence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pairing {
    /// Which take.
    pub(crate) take: usize,
    /// Its sample at the sequence's begin, and how many of its samples the sequence lasts.
    pub(crate) first_sample: u64,
    pub(crate) frames: u64,
    pub(super) alignment: &'static str,
    pub(super) uncertainty: f64,
}

/// A sequence to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Which take of the sources.
    pub(crate) take: usize,
    /// The take's samples.
    pub(crate) range: Range<u64>,
    /// The window's number in its performance.
    pub(super) window: u64,
    /// The performance's name.
    pub(super) performance: String,
    /// On which side it stands.
    pub(super) split: Split,
    /// Where its notes come from.
    pub(crate) notes: Vec<Pairing>,
}

impl Planned {
    /// On which side of the training it stands.
    pub fn split(&self) -> Split {
        self.split
    }

    /// Its performance's name.
    pub fn performance(&self) -> &str {
        &self.performance
    }

    /// Its frames and channels.
    pub fn size(&self, sources: &Sources) -> (u64, u64) {
        (self.range.end - self.range.start, u64::from(sources.takes[self.take].summary.channels))
    }

    /// All that decides what it holds, as text.
    pub fn identity(&self, sources: &Sources) -> String {
        let take = |index: usize| &sources.takes[index].summary.take_id;
        let notes = self.notes.iter().map(|pairing| format!(" {}:{}+{}", take(pairing.take), pairing.first_sample, pairing.frames));
        let head = format!("{} {:?} {} {} {:?}", take(self.take), self.range, self.window, self.performance, self.split);
        notes.fold(head, |text, note| text + &note) + "\n"
    }
}

/// What will be made of some sources.
#[derive(Debug, Default)]
pub struct Plan {
    /// Sequences: those to train with first; within a split by performance and window.
    pub sequences: Vec<Planned>,
    /// How many windows were left out, by reason.
    pub left_out: BTreeMap<Reason, u64>,
    /// Performances on each side; those of which nothing was cut count nowhere.
    pub performances: BTreeMap<Split, u64>,
    /// Takes that repeat an earlier one, which follows, and stand on its side for that; both by their place in the sources.
    pub repeats: Vec<(usize, usize)>,
    /// Takes that cannot be read, and why.
    pub broken: Vec<StoreError>,
}

impl Plan {
    /// Cuts all sources. A take that cannot be read is noted, the others are cut.
    pub fn new(sources: &Sources, settings: &Settings) -> Self {
        let mut plan = Self::default();
        let mut profiles = Vec::new();
        for (index, source) in sources.takes.iter().enumerate() {
            match Profile::read(source, settings) {
                Ok(profile) => profiles.push((index, profile)),
                Err(error) => plan.broken.push(error),
            }
        }
        let names: Vec<String> = sources.takes.iter().map(|source| short(&source.summary.take_id)).collect();
        let (performances, repeats) = performance::find(&profiles, &names);
        plan.repeats = repeats;
        for performance in performances {
            let split = performance::side(&performance.name, settings);
            let mut windows = 0;
            for session in &performance.sessions {
                windows = plan.cut(&profiles, session, (&performance, split, windows), settings);
            }
        }
        let sides: BTreeMap<&str, Split> = plan.sequences.iter().map(|cut| (cut.performance.as_str(), cut.split)).collect();
        for split in sides.values() {
            *plan.performances.entry(*split).or_default() += 1;
        }
        // One that is alone is there to learn from.
        if sides.len() == 1 {
            plan.performances = BTreeMap::from([(Split::Train, 1)]);
            plan.sequences.iter_mut().for_each(|cut| cut.split = Split::Train);
        }
        plan.sequences.sort_by(|one, two| {
            let key = |planned: &Planned| (planned.split, planned.window);
            (key(one).0, &one.performance, key(one).1, one.take).cmp(&(key(two).0, &two.performance, key(two).1, two.take))
        });
        plan
    }

    /// Cuts takes that were played together. `place` is their performance, its side, and the number of the next window; gives the
    /// number of the one after the last.
    fn cut(
        &mut self,
        profiles: &[(usize, Profile)],
        session: &[usize],
        place: (&Performance, Split, u64),
        settings: &Settings,
    ) -> u64 {
        let (performance, split, base) = place;
        let takes: Vec<&Profile> = session.iter().map(|&number| &profiles[number].1).collect();
        let mut met = vec![false; takes.len()];
        let reference = takes[0];
        let step = settings.step(reference.sample_rate);
        let (grid, windows) = settings.windows(reference.sample_rate, performance::begin(&takes), performance::last(&takes));
        for number in 0..windows {
            let begins = performance::begins(&takes, grid + number * step);
            let window = |take: usize| -> Option<Range<u64>> {
                let begin = u64::try_from(begins[take]?.sample).ok()?;
                let end = begin + settings.frames(takes[take].sample_rate);
                (end <= takes[take].end).then_some(begin..end)
            };
            let mut used = vec![false; takes.len()];
            // Takes with audio first: a take of MIDI alone stands for itself only where it belongs to none of them.
            let mut order: Vec<usize> = (0..takes.len()).collect();
            order.sort_by_key(|&take| takes[take].channels == 0);
            for take in order {
                let Some(range) = window(take) else { continue };
                met[take] = true;
                if takes[take].channels == 0 && used[take] {
                    continue;
                }
                if let Some(reason) = takes[take].bars(&range) {
                    self.leave_out(reason);
                    continue;
                }
                let notes = pair(&takes, take, &range, &window);
                let events: u64 = notes.iter().map(|(other, range, ..)| takes[*other].events_in(range)).sum();
                if events < settings.min_midi_events {
                    self.leave_out(Reason::FewEvents);
                    continue;
                }
                for (other, ..) in &notes {
                    used[*other] = true;
                }
                let pairing = |(other, range, alignment, uncertainty): (usize, Range<u64>, &'static str, f64)| Pairing {
                    take: profiles[session[other]].0,
                    first_sample: range.start,
                    frames: range.end - range.start,
                    alignment,
                    uncertainty,
                };
                self.sequences.push(Planned {
                    take: profiles[session[take]].0,
                    range,
                    window: base + number,
                    performance: performance.name.clone(),
                    split,
                    notes: notes.into_iter().map(pairing).collect(),
                });
            }
        }
        for (take, _) in takes.iter().zip(met).filter(|(_, met)| !met) {
            let long = take.end >= settings.frames(take.sample_rate);
            self.leave_out(match (settings.range, long) {
                (Some(_), _) => Reason::OffRange,
                (None, true) => Reason::OffGrid,
                (None, false) => Reason::ShortTake,
            });
        }
        base + windows
    }

    /// How many takes that sequences are cut from repeat another one of these.
    pub fn repeated_takes(&self) -> u64 {
        let cut: BTreeSet<usize> = self.sequences.iter().map(|planned| planned.take).collect();
        self.repeats.iter().filter(|(take, other)| cut.contains(take) && cut.contains(other)).count() as u64
    }

    fn leave_out(&mut self, reason: Reason) {
        *self.left_out.entry(reason).or_default() += 1;
    }
}

/// Where the notes for `range` of a take come from: itself when it has notes there; otherwise streams of the same host process that
/// have; otherwise streams of others that have.
fn pair(
    takes: &[&Profile],
    take: usize,
    range: &Range<u64>,
    window: &impl Fn(usize) -> Option<Range<u64>>,
) -> Vec<(usize, Range<u64>, &'static str, f64)> {
    let own = (take, range.clone(), "same-stream", 0.0);
    if takes[take].onsets_in(range) > 0 {
        return vec![own];
    }
    let mut paired = Vec::new();
    for other in (0..takes.len()).filter(|&other| other != take && window(other).is_some()) {
        let Some((there, aligned)) = takes[take].placement.align_range(range, &takes[other].placement) else { continue };
        if there.end <= takes[other].end && takes[other].bars(&there).is_none() && takes[other].onsets_in(&there) > 0 {
            paired.push((other, there, aligned.alignment, aligned.uncertainty));
        }
    }
    if paired.iter().any(|(other, ..)| takes[take].placement.same_host(&takes[*other].placement)) {
        paired.retain(|(other, ..)| takes[take].placement.same_host(&takes[*other].placement));
    }
    if paired.is_empty() { vec![own] } else { paired }
}

/// The first eight digits of an identity.
pub(super) fn short(id: &str) -> String {
    id.chars().filter(char::is_ascii_hexdigit).take(8).collect()
}
