//! From a planned sequence to the sequence itself: samples, features, music.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::plan::{Pairing, Planned, short};
use super::profile::barred;
use super::{About, NoteSource, Sequence, Settings};
use crate::digest::hexadecimal;
use crate::features::{self, Features, extract, mix_down};
use crate::music::{self, Measures, Music, Score};
use crate::source::{Source, Sources, within_data};
use crate::store::StoreError;
use crate::store::layout::TransportRow;

/// Scores kept for the next sequences: as many takes as a session commonly has.
const SCORES_KEPT: usize = 16;

/// Why a sequence cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The recording cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its samples are none that features can be made of.
    #[error("{path}, from sample {first_sample} of the take on: {source}", path = path.display())]
    Features {
        /// The file.
        path: PathBuf,
        /// The sequence's first sample.
        first_sample: u64,
        /// What is wrong.
        source: features::Error,
    },
}

/// Makes sequences of the sources, on any thread.
#[derive(Debug)]
pub struct Workshop<'a> {
    sources: &'a Sources,
    settings: &'a Settings,
    with_features: bool,
    plans: Mutex<HashMap<u64, Arc<features::Plan>>>,
    scores: Mutex<Vec<(usize, Arc<Score>)>>,
}

impl<'a> Workshop<'a> {
    /// A workshop for sequences that were planned from these sources with these settings. Without features, those of each are empty.
    pub fn new(sources: &'a Sources, settings: &'a Settings, with_features: bool) -> Self {
        Self { sources, settings, with_features, plans: Mutex::default(), scores: Mutex::default() }
    }

    /// Makes a sequence.
    ///
    /// # Errors
    /// [`PrepareError`].
    pub fn prepare(&self, planned: &Planned) -> Result<Sequence, PrepareError> {
        let source = &self.sources.takes[planned.take];
        let audio = source.audio(planned.range.clone())?;
        let unusable = |error| PrepareError::Features {
            path: source.file(planned.range.start).unwrap_or(Path::new("")).to_owned(),
            first_sample: planned.range.start,
            source: error,
        };
        let features = if self.with_features { self.features(source, &audio).map_err(unusable)? } else { Features::default() };
        let music = self.music(planned)?;
        let about = about(source, planned, &audio, &music, self.note_sources(planned));
        Ok(Sequence { about, audio, features, music })
    }

    fn features(&self, source: &Source, audio: &[f32]) -> Result<Features, features::Error> {
        let rate = source.summary.sample_rate;
        let known = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(&rate.to_bits()).cloned();
        let plan = match known {
            Some(plan) => plan,
            None => {
                let plan = features::Plan::new(self.settings.features(rate))?;
                self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(rate.to_bits(), plan.clone());
                plan
            }
        };
        let mut mono = Vec::new();
        mix_down(audio, usize::from(source.summary.channels.max(1)), &mut mono);
        extract(&plan, &mono)
    }

    /// Tempo, meter and beats are the take's own where it has them; notes are those of its note sources.
    fn music(&self, planned: &Planned) -> Result<Music, PrepareError> {
        let mut music = self.score(planned.take)?.window(planned.range.clone());
        if planned.notes.iter().any(|pairing| pairing.take == planned.take) {
            return Ok(music);
        }
        music = Music { notes: Vec::new(), controls: Vec::new(), events: Vec::new(), ..music };
        for (track, Pairing { take, first_sample, frames, .. }) in planned.notes.iter().enumerate() {
            let factor = (planned.range.end - planned.range.start) as f64 / *frames as f64;
            let window = self.score(*take)?.window(*first_sample..first_sample + frames);
            music.merge(window.at_rate(factor), track as u16);
        }
        Ok(music)
    }

    /// The score of a take, kept for the sequences that follow.
    fn score(&self, take: usize) -> Result<Arc<Score>, StoreError> {
        let mut scores = self.scores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = scores.iter().position(|(known, _)| *known == take) {
            let score = scores.remove(at);
            scores.push(score.clone());
            return Ok(score.1);
        }
        let source = &self.sources.takes[take];
        let (midi, sysex) = source.midi()?;
        let (transport, rate) = (source.table::<TransportRow>()?, source.summary.sample_rate);
        // Of what may not be taken, nothing goes on in the windows behind it: no note, no pedal, no program.
        let mut breaks: Vec<u64> = barred(source)?.into_iter().flat_map(|(range, _)| [range.start, range.end]).collect();
        breaks.sort_unstable();
        let score = Arc::new(Score::new(&midi, &sysex, &transport, &breaks, source.end(), rate));
        if scores.len() == SCORES_KEPT {
            scores.remove(0);
        }
        scores.push((take, score.clone()));
        Ok(score)
    }

    fn note_sources(&self, planned: &Planned) -> Vec<NoteSource> {
        let source = |pairing: &Pairing| {
            let summary = &self.sources.takes[pairing.take].summary;
            NoteSource {
                name: summary.name.clone(),
                stream_id: summary.stream_id.clone(),
                take_id: summary.take_id.clone(),
                contributor: summary.contributor.clone(),
                licence: summary.licence.clone(),
                consent: summary.consent.clone(),
                alignment: pairing.alignment.to_owned(),
                uncertainty_seconds: pairing.uncertainty,
            }
        };
        planned.notes.iter().map(source).collect()
    }
}

fn about(source: &Source, planned: &Planned, audio: &[f32], music: &Music, note_sources: Vec<NoteSource>) -> About {
    let summary = &source.summary;
    let frames = planned.range.end - planned.range.start;
    let measures = Measures::of(music, frames, summary.sample_rate);
    let key = music::key(&music.notes);
    let into_take = (planned.range.start as f64 / summary.sample_rate * 1e9) as u64;
    let meter = music.meters.first().filter(|meter| meter.sample == 0);
    About {
        id: format!("{}-{:012}", short(&summary.take_id), planned.range.start),
        split: planned.split,
        performance: planned.performance.clone(),
        window: planned.window,
        name: summary.name.clone(),
        contributor: summary.contributor.clone(),
        licence: summary.licence.clone(),
        consent: summary.consent.clone(),
        project: summary.project.clone(),
        host: summary.host.clone(),
        machine: summary.machine.clone(),
        stream_id: summary.stream_id.clone(),
        take_id: summary.take_id.clone(),
        source: source.file(planned.range.start).map(within_data).unwrap_or_default(),
        sample_rate: summary.sample_rate,
        channels: summary.channels,
        frames,
        first_sample: planned.range.start,
        started_unix_nanos: summary.started_unix_nanos.saturating_add(into_take),
        ppq: music.ppq,
        tempo: mean_tempo(music, frames),
        meter: meter.map(|meter| format!("{}/{}", meter.numerator, meter.denominator)),
        key: key.as_ref().map(ToString::to_string),
        key_score: key.map(|key| key.score),
        midi_events: music.events.len() as u64,
        notes: music.notes.iter().filter(|note| !note.held).count() as u64,
        polyphony: measures.max_polyphony,
        peak_dbfs: decibels(audio.iter().fold(0.0_f64, |peak, sample| peak.max(f64::from(sample.abs())))),
        rms_dbfs: decibels((audio.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>() / audio.len() as f64).sqrt()),
        audio_sha256: if audio.is_empty() { String::new() } else { digest(audio) },
        note_sources,
    }
}

/// The mean over the window's time.
fn mean_tempo(music: &Music, frames: u64) -> Option<f64> {
    let ends = music.tempos.iter().skip(1).map(|tempo| tempo.sample).chain([frames]);
    let spans = music.tempos.iter().zip(ends).map(|(tempo, end)| ((end - tempo.sample) as f64, tempo.tempo));
    let (samples, quarters) = spans.fold((0.0, 0.0), |sum, (length, tempo)| (sum.0 + length, sum.1 + length * tempo));
    (samples > 0.0).then(|| quarters / samples)
}

fn decibels(level: f64) -> Option<f64> {
    (level > 0.0).then(|| 20.0 * level.log10())
}

fn digest(audio: &[f32]) -> String {
    let mut hasher = Sha256::new();
    for samples in audio.chunks(4096) {
        hasher.update(samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>());
    }
    hexadecimal(&hasher.finalize())
}
