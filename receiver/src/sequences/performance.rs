//! Which takes were played together, which repeat one another, and on which side of the training each performance stands.

use sha2::{Digest, Sha256};

use super::duplicates;
use super::placement::Aligned;
use super::profile::Profile;
use super::{Settings, Split};

/// Streams of a session that begin within this share its first window, in seconds: plugins are activated one after another.
const TOGETHER: f64 = 5.0;

/// Takes that were played together or repeat one another: the unit of the splits.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Performance {
    /// Eight digits of its earliest take's identity.
    pub(super) name: String,
    /// Its sessions: takes that sounded at the same time, in order of their begin.
    pub(super) sessions: Vec<Vec<usize>>,
}

/// Joins takes (numbers in `profiles`, which are in order of their begin) to sessions and these to performances. Says which takes
/// repeat an earlier one, and which.
pub(super) fn find(profiles: &[(usize, Profile)], names: &[String]) -> (Vec<Performance>, Vec<(usize, usize)>) {
    let count = profiles.len();
    let mut sessions = Groups::new(count);
    let mut performances = Groups::new(count);
    let mut repeated = vec![None; count];
    for one in 0..count {
        for two in one + 1..count {
            if profiles[one].1.placement.sounds_with(&profiles[two].1.placement) {
                sessions.join(one, two);
                performances.join(one, two);
            }
        }
    }
    let fingerprints: Vec<_> = profiles.iter().map(|(_, profile)| &profile.fingerprint).collect();
    // All of them: a medley repeats several, and they do not repeat one another.
    for (two, one) in duplicates::repeats(&fingerprints) {
        performances.join(one, two);
        // Two streams of one session may well play the same notes.
        if repeated[two].is_none() && sessions.root(one) != sessions.root(two) {
            repeated[two] = Some(one);
        }
    }
    let mut found: Vec<(usize, Performance)> = Vec::new();
    for take in 0..count {
        let (root, session) = (performances.root(take), sessions.root(take));
        let index = found.iter().position(|(there, _)| *there == root).unwrap_or_else(|| {
            let name = names[profiles[take].0].clone();
            found.push((root, Performance { name, sessions: Vec::new() }));
            found.len() - 1
        });
        let list = &mut found[index].1.sessions;
        match list.iter_mut().find(|takes| sessions.root(takes[0]) == session) {
            Some(takes) => takes.push(take),
            None => list.push(vec![take]),
        }
    }
    let repeats = repeated.iter().enumerate().filter_map(|(two, one)| Some((profiles[two].0, profiles[(*one)?].0)));
    (found.into_iter().map(|(_, performance)| performance).collect(), repeats.collect())
}

/// The side of a performance, drawn from its name and the seed alone: it stays there when others come.
pub(super) fn side(name: &str, settings: &Settings) -> Split {
    let digest = Sha256::new().chain_update(settings.seed.to_le_bytes()).chain_update(name).finalize();
    let drawn = digest[..8].iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte)) as f64 / u64::MAX as f64;
    match drawn {
        drawn if drawn < settings.test => Split::Test,
        drawn if drawn < settings.test + settings.validation => Split::Validation,
        _ => Split::Train,
    }
}

/// The first window's begin, as a sample of the first take: the latest begin of those that begin together with it.
pub(super) fn begin(takes: &[&Profile]) -> u64 {
    let latest = (TOGETHER * takes[0].sample_rate) as i64;
    let begins = takes.iter().filter_map(|take| take.placement.align(0, &takes[0].placement));
    begins.map(|aligned| aligned.sample).filter(|begin| (0..latest).contains(begin)).max().map_or(0, i64::unsigned_abs)
}

/// The end of the session, as a sample of the first take.
pub(super) fn last(takes: &[&Profile]) -> u64 {
    let ends = takes[1..].iter().filter_map(|take| take.placement.align(take.end, &takes[0].placement));
    ends.filter_map(|aligned| u64::try_from(aligned.sample).ok()).chain([takes[0].end]).max().unwrap_or_default()
}

/// Where the moment of the first take's `sample` lies in every take. Streams of one host follow the first of them that sounds
/// there, so that they stay exact to the sample among themselves.
pub(super) fn begins(takes: &[&Profile], sample: u64) -> Vec<Option<Aligned>> {
    let mut begins: Vec<Option<Aligned>> = Vec::new();
    for (index, take) in takes.iter().enumerate() {
        let sounds = |(other, begin): (usize, &Option<Aligned>)| {
            let begin = u64::try_from(begin.as_ref()?.sample).ok()?;
            (takes[other].placement.same_host(&take.placement) && begin < takes[other].end).then_some((other, begin))
        };
        let leader = begins.iter().enumerate().find_map(sounds);
        begins.push(match leader {
            _ if index == 0 => Some(Aligned { sample: sample as i64, alignment: "same-stream", uncertainty: 0.0 }),
            Some((leader, begin)) => takes[leader].placement.align(begin, &take.placement),
            None => takes[0].placement.align(sample, &take.placement),
        });
    }
    begins
}

/// Sets of numbers that grow together (union-find).
struct Groups(Vec<usize>);

impl Groups {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn root(&self, mut item: usize) -> usize {
        while self.0[item] != item {
            item = self.0[item];
        }
        item
    }

    /// The lower root stays: a group is known by its earliest member.
    fn join(&mut self, one: usize, two: usize) {
        let (one, two) = (self.root(one), self.root(two));
        self.0[one.max(two)] = one.min(two);
    }
}
