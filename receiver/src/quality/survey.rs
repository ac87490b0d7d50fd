//! All takes at once: each is read on one of the cores, then they are compared.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{io, thread};

use super::reading::Reading;
use super::{Agreement, Quality, verdict};
use crate::sequences::{Plan, Settings};
use crate::source::{Source, Sources, within_data};
use crate::store::StoreError;

/// How good some takes are.
#[derive(Debug, Default)]
pub struct Survey {
    /// The takes that can be read, in order of their begin.
    pub takes: Vec<Quality>,
    /// What cannot be read, and why.
    pub broken: Vec<StoreError>,
}

/// Surveys all takes of `sources` on `threads` threads; `progress` hears how many are done.
///
/// # Errors
/// The operating system gives no thread. A take that cannot be read is noted, the others are surveyed.
pub fn survey(sources: &Sources, threads: usize, progress: &(dyn Fn(usize) + Sync)) -> io::Result<Survey> {
    let mut readings = BTreeMap::new();
    let mut broken = Vec::new();
    for (take, reading) in read_all(&sources.takes, threads, progress)? {
        match reading {
            Ok(reading) => {
                readings.insert(take, reading);
            }
            Err(error) => broken.push(error),
        }
    }
    // Which notes belong to which audio is asked of the cutting, that of a person's own recordings: nothing leaves here.
    let plan = Plan::new(sources, &Settings { own: true, min_midi_events: 1, ..Settings::default() });
    let repeats: BTreeMap<usize, usize> = plan.repeats.iter().copied().collect();
    let takes = readings.iter().map(|(&take, reading)| {
        let agreement = agreement(&sources.takes, take, &readings, &plan);
        let original = repeats.get(&take).map(|&other| &sources.takes[other]);
        quality(&sources.takes[take], reading, agreement, original)
    });
    Ok(Survey { takes: takes.collect(), broken })
}

/// Reads takes, whichever thread is free.
fn read_all(
    takes: &[Source],
    threads: usize,
    progress: &(dyn Fn(usize) + Sync),
) -> io::Result<BTreeMap<usize, Result<Reading, StoreError>>> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        loop {
            let take = next.fetch_add(1, Ordering::Relaxed);
            let Some(source) = takes.get(take) else { break };
            let reading = Reading::of(source);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.insert(take, reading);
            progress(done.len());
        }
    };
    thread::scope(|scope| {
        for number in 0..threads.clamp(1, takes.len().max(1)) {
            thread::Builder::new().name(format!("quality-{number}")).spawn_scoped(scope, work)?;
        }
        Ok::<_, io::Error>(())
    })?;
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// How well a take agrees with its own notes, or with those of the stream of its session that it agrees with best.
fn agreement(takes: &[Source], take: usize, readings: &BTreeMap<usize, Reading>, plan: &Plan) -> Option<Agreement> {
    let (reading, summary) = (&readings[&take], &takes[take].summary);
    let within = |onsets: &[u64], places: &[Range<u64>]| -> Vec<u64> {
        onsets.iter().copied().filter(|onset| places.iter().any(|place| place.contains(onset))).collect()
    };
    if !reading.played.is_empty() {
        let played = within(&reading.played, &reading.stretches);
        return Agreement::of(&summary.name, &played, &reading.heard, summary.sample_rate);
    }
    let mut windows: BTreeMap<usize, (Vec<Range<u64>>, Vec<u64>)> = BTreeMap::new();
    for planned in plan.sequences.iter().filter(|planned| planned.take == take) {
        for pairing in planned.notes.iter().filter(|pairing| pairing.take != take) {
            let Some(other) = readings.get(&pairing.take) else { continue };
            let (places, played) = windows.entry(pairing.take).or_default();
            let there = pairing.first_sample..pairing.first_sample + pairing.frames;
            let factor = summary.sample_rate / takes[pairing.take].summary.sample_rate;
            let here = |onset: u64| planned.range.start + ((onset - there.start) as f64 * factor).round() as u64;
            played.extend(other.played.iter().copied().filter(|onset| there.contains(onset)).map(here));
            places.push(planned.range.clone());
        }
    }
    let candidates = windows.into_iter().filter_map(|(other, (places, mut played))| {
        // Windows overlap.
        played.sort_unstable();
        played.dedup();
        let name = &takes[other].summary.name;
        Agreement::of(name, &played, &within(&reading.heard, &places), summary.sample_rate)
    });
    candidates.max_by(|one, two| one.f_measure.total_cmp(&two.f_measure))
}

fn quality(source: &Source, reading: &Reading, agreement: Option<Agreement>, original: Option<&Source>) -> Quality {
    let summary = &source.summary;
    let mut quality = Quality {
        name: summary.name.clone(),
        take_id: summary.take_id.clone(),
        stream_id: summary.stream_id.clone(),
        project: summary.project.clone(),
        host: summary.host.clone(),
        machine: summary.machine.clone(),
        contributor: summary.contributor.clone(),
        licence: summary.licence.clone(),
        consent: summary.consent.clone(),
        files: source.files().map(within_data).collect(),
        started_unix_nanos: summary.started_unix_nanos,
        seconds: source.end() as f64 / summary.sample_rate,
        sample_rate: summary.sample_rate,
        channels: summary.channels,
        verdict: verdict::Grade::Good,
        findings: Vec::new(),
        sound: reading.sound.clone(),
        playing: reading.playing.clone(),
        private_seconds: reading.private_seconds,
        delivery: reading.delivery.clone(),
        agreement,
        repeats: original.map(|original| original.summary.take_id.clone()),
    };
    verdict::judge(&mut quality, original.map(|original| &original.summary));
    quality
}
