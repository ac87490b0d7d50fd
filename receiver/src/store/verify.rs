//! Checks a recording against itself: every block's checksum, every table's checksum and order, every missing sample's row.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use super::StoreError;
use super::clocks::Clocks;
use super::layout::{
    AUDIO_CHUNK, AutomationRow, BlockRow, ClockRow, FeatureRow, GapRow, MAX_POSITION, MarkerRow, MidiRow, ParameterRow, Row,
    TransportRow,
};
use super::reader::{Recording, Summary, by_chunk, chunk_of};
use crate::digest::digest_of;
use crate::timeline::crc_of;

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Verdict {
    /// What is wrong; empty for a good recording. At most [`MAX_PROBLEMS`], then a count.
    pub problems: Vec<String>,
    /// Whether something is wrong that the sender's records do not explain: in the shape of the file, the order of its rows,
    /// or what they say of the samples. Checksums count apart, in `crc_mismatches`: the sender may have stated wrong ones.
    pub damage: bool,
    /// Whether the file was closed: one that still grows, or was left by a receiver that was killed, is not whole.
    pub finished: bool,
    /// What a person should know though nothing is wrong.
    pub notes: Vec<String>,
    /// Blocks whose checksum was compared with the audio.
    pub checked_blocks: u64,
    /// Blocks that cannot be checked, because some of their samples are missing or cannot be read.
    pub incomplete_blocks: u64,
    /// Blocks whose samples do not have their checksum.
    pub crc_mismatches: u64,
    /// Frames that are missing, and said to be.
    pub gap_frames: u64,
    /// What the clocks say.
    pub clocks: Clocks,
}

/// Of a gap, this many frames at its begin and at its end are read: what is wrong with one is wrong at its edges, and a gap
/// may be days long.
const GAP_EDGE: u64 = 1 << 22;

/// The most problems that are listed one by one.
pub const MAX_PROBLEMS: usize = 20;

impl Verdict {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.problems.is_empty()
    }

    fn damage(&mut self, problem: String) {
        self.damage = true;
        self.problem(problem);
    }

    fn problem(&mut self, problem: String) {
        match self.problems.len() {
            0..MAX_PROBLEMS => self.problems.push(problem),
            MAX_PROBLEMS => self.problems.push("and more of the kind".to_owned()),
            _ => {}
        }
    }
}

/// Checks the file at `path`, which may be one that is still being written.
///
/// # Errors
/// [`StoreError`] when it cannot be opened or a dataset cannot be read: that too is a failed check.
pub fn verify(path: &Path) -> Result<Verdict, StoreError> {
    let recording = Recording::open(path)?;
    let mut verdict = Verdict { finished: recording.summary.closed, ..Verdict::default() };
    check_summary(&recording, &mut verdict)?;
    let gaps = recording.table::<GapRow>()?;
    let blocks = recording.table::<BlockRow>()?;
    check_order::<GapRow>(&gaps, true, &mut verdict);
    check_order::<BlockRow>(&blocks, true, &mut verdict);
    let comparable = !verdict.damage;
    check_order::<TransportRow>(&recording.table()?, false, &mut verdict);
    check_order::<MidiRow>(&recording.table()?, false, &mut verdict);
    check_order::<FeatureRow>(&recording.table()?, true, &mut verdict);
    check_order::<AutomationRow>(&recording.table()?, false, &mut verdict);
    check_clocks(&recording.summary, &blocks, &recording.table()?, &mut verdict);
    // Read to see that they can be; their order is not promised.
    recording.table::<MarkerRow>()?;
    recording.table::<ParameterRow>()?;
    check_sysex(&recording, &mut verdict)?;
    for table in recording.changed_tables()? {
        verdict.damage(format!("the rows of /{table} are not those that were written: they do not have their checksum"));
    }
    // Blocks and gaps are compared with the audio whatever else is wrong, so long as they can be.
    if comparable {
        check_coverage(&recording.summary, &blocks, &gaps, &mut verdict);
        if recording.summary.audio_file.is_empty() {
            check_audio(&recording, &blocks, &gaps, &mut verdict)?;
        } else {
            check_audio_file(&recording, &mut verdict)?;
        }
    }
    Ok(verdict)
}

fn check_summary(recording: &Recording, verdict: &mut Verdict) -> Result<(), StoreError> {
    let summary = &recording.summary;
    if !(summary.sample_rate.is_finite() && summary.sample_rate > 0.0) {
        verdict.damage(format!("sample rate {}", summary.sample_rate));
    }
    if summary.first_sample.saturating_add(summary.committed_frames) > 2 * MAX_POSITION {
        verdict.damage(format!("{} frames", summary.committed_frames));
    }
    if summary.channels > 0 && summary.audio_file.is_empty() {
        let (frames, channels) = recording.audio_shape()?;
        if channels != u64::from(summary.channels) {
            verdict.damage(format!("/audio has {channels} channels, the attribute says {}", summary.channels));
        }
        if frames < summary.committed_frames || (summary.closed && frames != summary.frames) {
            verdict.damage(format!("/audio has {frames} frames, the attributes say {}", summary.committed_frames));
        }
    }
    if !summary.closed {
        verdict
            .notes
            .push("not closed: it is being written, or its receiver was stopped; start the receiver to complete it".to_owned());
    }
    if summary.bad_records > 0 {
        verdict.problem(format!("{} records of the sender were unusable", summary.bad_records));
    }
    if summary.gone_entries > 0 {
        verdict.notes.push(format!("the sender no longer had {} entries of its log", summary.gone_entries));
    }
    Ok(())
}

/// Clocks go forward, and agree with one another and with the samples. What a sender states wrongly is no damage.
fn check_clocks(summary: &Summary, blocks: &[BlockRow], estimates: &[ClockRow], verdict: &mut Verdict) {
    let (clocks, faults) = Clocks::of(summary.sample_rate, blocks, estimates);
    faults.problems.into_iter().for_each(|problem| verdict.problem(problem));
    verdict.notes.extend(faults.notes);
    verdict.clocks = clocks;
}

/// The file beside it, which holds the audio, is the one that was archived.
fn check_audio_file(recording: &Recording, verdict: &mut Verdict) -> Result<(), StoreError> {
    let name = &recording.summary.audio_file;
    let path = recording.path().with_file_name(name);
    match digest_of(&path) {
        Ok(digest) if digest == recording.attribute_text("audio_file_sha256") => {
            verdict.notes.push(format!("its audio lies in {name}, which is as it was archived"));
        }
        Ok(_) => verdict.damage(format!("{name}, which holds its audio, is not as it was archived")),
        Err(error) => verdict.damage(format!("{name}, which holds its audio, cannot be read: {error}")),
    }
    Ok(())
}

fn check_order<R: Row>(rows: &[R], strictly: bool, verdict: &mut Verdict) {
    for (index, pair) in rows.windows(2).enumerate() {
        let (before, after) = (pair[0].sample(), pair[1].sample());
        if after < before || (strictly && after == before) {
            verdict.damage(format!("/{} is not in order at row {}", R::NAME, index + 1));
            return;
        }
    }
}

fn check_sysex(recording: &Recording, verdict: &mut Verdict) -> Result<(), StoreError> {
    let bytes = recording.sysex()?.len() as u64;
    for row in recording.table::<MidiRow>()? {
        if row.sysex_length > 0 && row.sysex_offset.saturating_add(u64::from(row.sysex_length)) > bytes {
            verdict.damage(format!("the system exclusive message at sample {} points beyond /sysex", row.sample));
        }
    }
    Ok(())
}

/// Every frame is in a block or in a gap.
fn check_coverage(summary: &Summary, blocks: &[BlockRow], gaps: &[GapRow], verdict: &mut Verdict) {
    let mut spans: Vec<(u64, u64)> =
        blocks.iter().map(|block| (block.sample, block.sample.saturating_add(u64::from(block.frames)))).collect();
    spans.extend(gaps.iter().map(|gap| (gap.sample, gap.sample.saturating_add(gap.frames))));
    spans.sort_unstable();
    let (mut covered, end) = (summary.first_sample, summary.first_sample + summary.committed_frames);
    spans.push((end, end));
    for (from, to) in spans {
        if from > covered && covered < end {
            let what = format!("samples {covered} to {} are in no block and no gap", from.min(end) - 1);
            // Where the sender lost entries, a block's own record may be among them.
            if summary.gone_entries > 0 { verdict.notes.push(what) } else { verdict.damage(what) }
        }
        covered = covered.max(to);
    }
    if summary.closed && covered > end {
        verdict.damage(format!("blocks or gaps reach to sample {covered}, the recording to {end}"));
    }
    for pair in gaps.windows(2) {
        if pair[0].sample.saturating_add(pair[0].frames) > pair[1].sample {
            verdict.damage(format!("two gaps overlap at sample {}", pair[1].sample));
        }
    }
    verdict.gap_frames = gaps.iter().fold(0, |sum, gap| sum.saturating_add(gap.frames));
}

/// Every block has its checksum, and every gap is zeros.
fn check_audio(recording: &Recording, blocks: &[BlockRow], gaps: &[GapRow], verdict: &mut Verdict) -> Result<(), StoreError> {
    let summary = &recording.summary;
    let mut window = Window::new(recording);
    let first = summary.first_sample;
    let end = first + summary.committed_frames;
    let mut next_gap = 0;
    for block in blocks {
        let block_end = block.sample.saturating_add(u64::from(block.frames));
        if block.sample < first || block_end > end {
            if summary.closed {
                verdict.damage(format!("the block at sample {} is not within the recording", block.sample));
            }
            continue;
        }
        while gaps.get(next_gap).is_some_and(|gap| gap.sample.saturating_add(gap.frames) <= block.sample) {
            next_gap += 1;
        }
        if gaps.get(next_gap).is_some_and(|gap| gap.sample < block_end) {
            verdict.incomplete_blocks += 1;
            continue;
        }
        let Some(samples) = window.samples(block.sample - first, block_end - first)? else {
            verdict.incomplete_blocks += 1;
            continue;
        };
        verdict.checked_blocks += 1;
        if crc_of(samples) != block.crc {
            verdict.crc_mismatches += 1;
            verdict.problem(format!("the block at sample {} ({} frames) does not have its checksum", block.sample, block.frames));
        }
    }
    let mut unreadable = std::mem::take(&mut window.unreadable);
    let mut window = Window::new(recording);
    for gap in gaps {
        let (begin, to) = (gap.sample.max(first) - first, gap.sample.saturating_add(gap.frames).min(end).saturating_sub(first));
        let mut from = begin;
        while from < to {
            if from - begin >= GAP_EDGE {
                from = from.max(to.saturating_sub(GAP_EDGE));
            }
            let part = to.min(from + AUDIO_CHUNK as u64);
            if window.samples(from, part)?.is_some_and(|samples| samples.iter().any(|sample| sample.to_bits() != 0)) {
                verdict.damage(format!("the gap at sample {} holds samples", gap.sample));
                break;
            }
            from = part;
        }
    }
    unreadable.append(&mut window.unreadable);
    for frames in unreadable {
        verdict.damage(format!(
            "samples {} to {} cannot be read: that chunk of /audio is damaged",
            first + frames.0,
            first + frames.1 - 1
        ));
    }
    Ok(())
}

/// Reads `/audio` in large pieces, for a caller that goes through it forwards.
struct Window<'a> {
    recording: &'a Recording,
    frames: Vec<f32>,
    begin: u64,
    end: u64,
    /// The frames, from and to, of damaged chunks.
    unreadable: BTreeSet<(u64, u64)>,
}

impl<'a> Window<'a> {
    fn new(recording: &'a Recording) -> Self {
        Self { recording, frames: Vec::new(), begin: 0, end: 0, unreadable: BTreeSet::new() }
    }

    /// Frames of the file; none where some of them lie in a damaged chunk.
    fn samples(&mut self, from: u64, to: u64) -> Result<Option<&[f32]>, StoreError> {
        let channels = usize::from(self.recording.summary.channels);
        if channels == 0 {
            return Ok(Some(&[]));
        }
        if from < self.begin || to > self.end {
            let end = (from + 8 * AUDIO_CHUNK as u64).max(to).min(self.recording.summary.committed_frames);
            self.frames = match self.recording.audio(from..end) {
                Err(StoreError::Damaged { .. }) => self.readable(from, end)?,
                frames => frames?,
            };
            (self.begin, self.end) = (from, end);
        }
        if self.unreadable.iter().any(|frames| frames.0 < to && frames.1 > from) {
            return Ok(None);
        }
        let at = |frame: u64| (frame - self.begin) as usize * channels;
        Ok(Some(&self.frames[at(from)..at(to)]))
    }

    /// As many frames, with zeros for those of damaged chunks, which are noted.
    fn readable(&mut self, from: u64, to: u64) -> Result<Vec<f32>, StoreError> {
        let channels = usize::from(self.recording.summary.channels);
        let mut frames = Vec::new();
        for piece in by_chunk(from..to) {
            match self.recording.audio(piece.clone()) {
                Err(StoreError::Damaged { .. }) => {
                    frames.resize(frames.len() + (piece.end - piece.start) as usize * channels, 0.0);
                    let chunk = chunk_of(piece.start);
                    self.unreadable.insert((chunk.start, chunk.end.min(self.recording.summary.committed_frames)));
                }
                read => frames.extend(read?),
            }
        }
        Ok(frames)
    }
}
