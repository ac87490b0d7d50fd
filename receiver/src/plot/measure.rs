//! What the picture shows of the samples: one pass over them, a column at a time.

use std::ops::Range;

use super::page::COLUMNS;
use super::spectrogram::Spectrogram;
use crate::source::Source;
use crate::store::StoreError;

/// Frames read at once.
const STEP: u64 = 1 << 16;

/// Channels that are drawn one by one; of more, the picture shows all as one.
const APART: usize = 2;

/// Samples of a column of the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) lowest: f32,
    pub(super) highest: f32,
    squares: f64,
    count: u64,
}

impl Column {
    const EMPTY: Self = Self { lowest: f32::INFINITY, highest: f32::NEG_INFINITY, squares: 0.0, count: 0 };

    fn add(&mut self, sample: f32) {
        if sample.is_finite() {
            self.lowest = self.lowest.min(sample);
            self.highest = self.highest.max(sample);
            self.squares += f64::from(sample) * f64::from(sample);
            self.count += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Root mean square; 1 is full scale.
    pub(super) fn rms(&self) -> f64 {
        if self.count == 0 { 0.0 } else { (self.squares / self.count as f64).sqrt() }
    }

    /// The highest absolute sample.
    pub(super) fn peak(&self) -> f64 {
        if self.count == 0 { 0.0 } else { f64::from(self.highest.max(-self.lowest)) }
    }

    /// Of two channels, or two columns, what both hold.
    pub(super) fn joined(&self, other: &Self) -> Self {
        Self {
            lowest: self.lowest.min(other.lowest),
            highest: self.highest.max(other.highest),
            squares: self.squares + other.squares,
            count: self.count + other.count,
        }
    }
}

/// What was measured.
pub(super) struct Measured {
    /// The columns of each channel that is drawn.
    pub(super) channels: Vec<Vec<Column>>,
    pub(super) spectrogram: Option<Spectrogram>,
}

impl Measured {
    /// All channels as one.
    pub(super) fn together(&self) -> Vec<Column> {
        let Some((first, rest)) = self.channels.split_first() else { return Vec::new() };
        let mut together = first.clone();
        for channel in rest {
            together.iter_mut().zip(channel).for_each(|(one, two)| *one = one.joined(two));
        }
        together
    }
}

/// Goes through the samples in `range` once.
pub(super) fn measure(source: &Source, range: &Range<u64>) -> Result<Measured, StoreError> {
    let count = usize::from(source.summary.channels);
    if count == 0 {
        return Ok(Measured { channels: Vec::new(), spectrogram: None });
    }
    let drawn = if count <= APART { count } else { 1 };
    let mut channels = vec![vec![Column::EMPTY; COLUMNS]; drawn];
    let length = range.end - range.start;
    let mut spectrogram = Spectrogram::new(source.summary.sample_rate, length);
    let mut mono = Vec::new();
    for begin in range.clone().step_by(STEP as usize) {
        let samples = source.audio(begin..range.end.min(begin + STEP))?;
        mono.clear();
        for (index, frame) in samples.chunks_exact(count).enumerate() {
            let at = begin - range.start + index as u64;
            let column = (u128::from(at) * COLUMNS as u128 / u128::from(length)) as usize;
            for (channel, &sample) in frame.iter().enumerate() {
                channels[channel.min(drawn - 1)][column].add(sample);
            }
            let mean = frame.iter().sum::<f32>() / count as f32;
            mono.push(if mean.is_finite() { mean } else { 0.0 });
        }
        spectrogram.push(&mono);
    }
    spectrogram.finish();
    // A stretch of fewer samples than columns leaves columns between them empty.
    channels.iter_mut().for_each(|columns| fill(columns));
    Ok(Measured { channels, spectrogram: Some(spectrogram) })
}

fn fill(columns: &mut [Column]) {
    let mut last = None;
    for column in columns {
        match last {
            Some(before) if column.is_empty() => *column = before,
            _ => last = Some(*column).filter(|column| !column.is_empty()),
        }
    }
}
