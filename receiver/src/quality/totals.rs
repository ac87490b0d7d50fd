//! All takes in one: sums, and means that are weighed by time.

use std::collections::BTreeMap;

use send_learn_protocol::consent::Consent;
use serde::Serialize;

use super::{Gaps, Grade, Lost, Quality};

/// What some takes are together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// How many takes.
    pub takes: u64,
    /// Takes of each grade.
    pub verdicts: BTreeMap<Grade, u64>,
    /// Their length in seconds, gaps included.
    pub seconds: f64,
    /// Seconds of audio in them, gaps left out.
    pub sound_seconds: f64,
    /// MIDI messages.
    pub midi_events: u64,
    /// Notes.
    pub notes: u64,
    /// Notes per second of the takes with notes.
    pub density: f64,
    /// The most notes that sound at once in a take.
    pub max_polyphony: u32,
    /// Complexity of the takes with notes, weighed by their notes; none without notes.
    pub complexity: Option<f64>,
    /// Slowest and fastest tempo; none where no host gave one.
    pub tempo: Option<(f64, f64)>,
    /// Share of the audio that is digital silence.
    pub digital_silence: f64,
    /// Share of the audio below -60 dBFS.
    pub near_silence: f64,
    /// Runs of clipped samples.
    pub clipped_runs: u64,
    /// Share of the delivered time that is bit-exact; none where nothing was delivered.
    pub exact: Option<f64>,
    /// Share of the time that is missing.
    pub missing: f64,
    /// What is missing, by reason.
    pub gaps: BTreeMap<Lost, Gaps>,
    /// Blocks that do not have their checksum.
    pub crc_mismatches: u64,
    /// Takes in which nobody stated consent.
    pub without_consent: u64,
    /// Takes in which consent was refused.
    pub consent_refused: u64,
    /// Takes that repeat another one.
    pub repeated_takes: u64,
    /// Notes of each MIDI key, 0 to 127.
    pub pitches: Vec<u64>,
    /// Notes of each velocity, 0 to 127.
    pub velocities: Vec<u64>,
    /// Seconds at each tempo, by quarter notes per minute, rounded.
    pub tempo_seconds: BTreeMap<u32, f64>,
    /// Stretches of 10 s in takes with notes, by the notes per second that begin in them, rounded.
    pub density_stretches: BTreeMap<u32, u64>,
    /// Seconds at each level, as [`Sound::levels`](super::Sound::levels); empty without audio.
    pub levels: Vec<f64>,
}

impl Totals {
    /// Adds takes up.
    pub fn of(takes: &[Quality]) -> Self {
        let mut totals = Self { pitches: vec![0; 128], velocities: vec![0; 128], ..Self::default() };
        totals.verdicts = Grade::ALL.into_iter().map(|grade| (grade, 0)).collect();
        let mut sums = Sums::default();
        for take in takes {
            totals.takes += 1;
            *totals.verdicts.entry(take.verdict).or_default() += 1;
            totals.seconds += take.seconds;
            totals.repeated_takes += u64::from(take.repeats.is_some());
            let consent = Consent::read(&take.consent);
            totals.without_consent += u64::from(consent == Consent::Unstated);
            totals.consent_refused += u64::from(consent == Consent::Refused);
            totals.add_sound(take, &mut sums);
            totals.add_playing(take, &mut sums);
            totals.add_delivery(take, &mut sums);
        }
        // Rounding makes no share of more than all.
        let share = |sum: f64, of: f64| if of > 0.0 { (sum / of).min(1.0) } else { 0.0 };
        totals.digital_silence = share(sums.silent, totals.sound_seconds);
        totals.near_silence = share(sums.nearly_silent, totals.sound_seconds);
        totals.density = if sums.played > 0.0 { totals.notes as f64 / sums.played } else { 0.0 };
        totals.complexity = (totals.notes > 0).then(|| sums.complexity / totals.notes as f64);
        totals.exact = (sums.delivered > 0.0).then(|| share(sums.exact, sums.delivered));
        totals.missing = share(sums.missing, totals.seconds);
        totals
    }

    fn add_sound(&mut self, take: &Quality, sums: &mut Sums) {
        let Some(sound) = &take.sound else { return };
        self.sound_seconds += sound.seconds;
        self.clipped_runs += sound.clipped_runs;
        sums.silent += sound.digital_silence * sound.seconds;
        sums.nearly_silent += sound.near_silence * sound.seconds;
        self.levels.resize(sound.levels.len(), 0.0);
        self.levels.iter_mut().zip(&sound.levels).for_each(|(sum, seconds)| *sum += seconds);
    }

    fn add_playing(&mut self, take: &Quality, sums: &mut Sums) {
        let (playing, measures) = (&take.playing, &take.playing.measures);
        self.midi_events += playing.midi_events;
        for (&tempo, seconds) in &playing.tempo_seconds {
            *self.tempo_seconds.entry(tempo).or_default() += seconds;
        }
        if let Some(range) = playing.tempo {
            let (slowest, fastest) = self.tempo.unwrap_or((range.slowest, range.fastest));
            self.tempo = Some((slowest.min(range.slowest), fastest.max(range.fastest)));
        }
        if measures.notes == 0 {
            return;
        }
        self.notes += measures.notes;
        self.max_polyphony = self.max_polyphony.max(measures.max_polyphony);
        sums.played += take.seconds;
        sums.complexity += measures.complexity * measures.notes as f64;
        for (&density, count) in &playing.density_stretches {
            *self.density_stretches.entry(density).or_default() += count;
        }
        self.pitches.iter_mut().zip(&playing.pitches).for_each(|(sum, count)| *sum += count);
        self.velocities.iter_mut().zip(&playing.velocities).for_each(|(sum, count)| *sum += count);
    }

    fn add_delivery(&mut self, take: &Quality, sums: &mut Sums) {
        let delivery = &take.delivery;
        self.crc_mismatches += delivery.crc_mismatches;
        sums.missing += delivery.missing * take.seconds;
        if let Some(exact) = delivery.exact() {
            let delivered = take.seconds * (1.0 - delivery.missing);
            sums.delivered += delivered;
            sums.exact += exact * delivered;
        }
        for (&reason, gaps) in &delivery.gaps {
            let sum = self.gaps.entry(reason).or_default();
            sum.count += gaps.count;
            sum.seconds += gaps.seconds;
        }
    }
}

/// What the shares are made of, in seconds; `complexity` in notes.
#[derive(Default)]
struct Sums {
    silent: f64,
    nearly_silent: f64,
    played: f64,
    complexity: f64,
    delivered: f64,
    exact: f64,
    missing: f64,
}
