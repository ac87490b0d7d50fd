//! The part that is being written: records on the timeline, features, the file and its close.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use send_learn_protocol::packet::close::GoneReason;
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::record::{Record, records};

use super::{AssemblyError, Making};
use crate::archive::Progress;
use crate::features::{self, Live, Plan};
use crate::journal::sync_folder;
use crate::store::layout::{FeatureRow, ParameterRow, fixed};
use crate::store::verify::verify;
use crate::store::writer::{Part, storage_for};
use crate::store::{PartWriter, Storage, StoreError};
use crate::take::{ClosedPart, Resume, State, Take};
use crate::timeline::{Batch, Came, Faults, Piece, Timeline};

/// The most parameters whose names are carried from part to part.
const MAX_PARAMETERS: usize = 4_096;

/// The part that is being written, and what leads to it.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) folder: PathBuf,
    pub(super) take: Take,
    pub(super) description: Description,
    pub(super) progress: Arc<Progress>,
    pub(super) timeline: Timeline,
    pub(super) features: Option<Live>,
    plan: Option<Arc<Plan>>,
    pub(super) compression: u8,
    /// What a person calls the stream, whatever its sender says.
    name: Option<String>,
    pub(super) part: Option<PartWriter>,
    /// What the samples of the take needed so far.
    pub(super) storage: Storage,
    /// The next entry, and how many of its records were taken before.
    pub(super) next: u64,
    pub(super) skip: usize,
    /// Where the part would end if it ended now, and what went wrong until there.
    pub(super) sealed: Resume,
    sealed_faults: Faults,
    /// What had gone wrong before the part began.
    faults_before: Faults,
}

impl Writing {
    pub(super) fn new(folder: PathBuf, take: Take, progress: Arc<Progress>, making: &Making) -> Self {
        let resume = take.resume.clone();
        progress.frames.store(resume.frames, Ordering::Relaxed);
        progress.gap_frames.store(0, Ordering::Relaxed);
        Self {
            folder,
            // `Take::load` and `Take::new` see to it that there is one.
            description: take.description().unwrap_or_else(|| unreachable!("a take without an identity")),
            timeline: Timeline::new(take.channels, resume.frames),
            features: live(making.features.as_ref(), &take),
            plan: making.features.clone(),
            compression: making.compression,
            name: None,
            take,
            progress,
            part: None,
            storage: Storage::Fixed16,
            next: resume.entry,
            skip: resume.records,
            sealed: resume,
            sealed_faults: Faults::default(),
            faults_before: Faults::default(),
        }
    }

    pub(super) fn take_entry(&mut self, entry: &[u8], came: Came) -> Result<(), AssemblyError> {
        let mut count = 0;
        let mut sealed = None;
        for record in records(entry) {
            count += 1;
            if count <= self.skip {
                continue;
            }
            if let Ok(Record::Parameter(parameter)) = &record {
                self.note_parameter(parameter.parameter, parameter.name);
            }
            if self.timeline.record(record, came) {
                let batch = self.timeline.take_batch();
                self.commit(batch)?;
                sealed = Some((count, self.timeline.position()));
            }
        }
        if let Some((records, frames)) = sealed {
            self.sealed.frames = frames;
            self.sealed_faults = self.timeline.faults();
            (self.sealed.entry, self.sealed.records) = if records == count { (self.next + 1, 0) } else { (self.next, records) };
        }
        self.next += 1;
        self.skip = 0;
        Ok(())
    }

    /// The stream is called `name` from now on.
    pub(super) fn rename(&mut self, name: &str) {
        self.name = Some(name.to_owned());
        self.description.set_property(PropertyKey::NAME, name);
        // Should that fail, so does what is written next, and the part is made again.
        if let Some(Err(error)) = self.part.as_ref().map(|part| part.rename(name)) {
            tracing::warn!("{error}. The file has its stream's name from its next part on.");
        }
    }

    pub(super) fn pass_gone(&mut self, end: u64, reason: GoneReason) {
        self.timeline.gone(reason, end - self.next);
        self.next = end;
        self.skip = 0;
    }

    fn note_parameter(&mut self, parameter: u32, name: &str) {
        let known = &mut self.sealed.parameters;
        if let Some((_, old)) = known.iter_mut().find(|(number, _)| *number == parameter) {
            name.clone_into(old);
        } else if known.len() < MAX_PARAMETERS {
            known.push((parameter, name.to_owned()));
        }
    }

    fn part_paths(&self) -> (PathBuf, PathBuf) {
        let file = self.take.part_file(self.take.next_part());
        (self.folder.join(format!("{file}.part")), self.folder.join(file))
    }

    /// Writes a batch; the part's file begins with its first one.
    pub(super) fn commit(&mut self, mut batch: Batch) -> Result<(), AssemblyError> {
        if self.name.is_some() {
            batch.properties.retain(|(key, _)| *key != PropertyKey::NAME.0);
        }
        if let Some(live) = &mut self.features {
            measure(live, &mut batch);
            if let Some(newest) = batch.features.last() {
                self.progress.set_rms(newest.rms);
            }
        }
        let gap_frames: u64 = batch.gaps.iter().map(|gap| gap.frames).sum();
        self.progress.gap_frames.fetch_add(gap_frames, Ordering::Relaxed);
        self.progress.frames.store(self.timeline.position(), Ordering::Relaxed);
        self.progress.crc_mismatches.store(self.timeline.faults().crc_mismatches, Ordering::Relaxed);
        let part = match &mut self.part {
            Some(part) => part,
            None => {
                let number = self.take.next_part();
                let first_sample = self.take.resume.frames;
                let (path, part) =
                    (self.part_paths().0, Part { number, first_sample, compression: self.compression, compressed_tables: false });
                self.storage = self.storage.max(storage_for(&batch));
                let mut part = PartWriter::create_for(&path, &self.description, part, Some(self.storage))?;
                let parameters = self.take.resume.parameters.iter();
                let parameters = parameters.map(|(parameter, name)| ParameterRow { parameter: *parameter, name: fixed(name) });
                part.append(Batch { parameters: parameters.collect(), ..Batch::default() })?;
                self.part.insert(part)
            }
        };
        Ok(part.append(batch)?)
    }

    /// Closes the part, if one was begun, at what is sealed, and says whether it passed its check. Until
    /// [`commit_take`](Self::commit_take) the part does not count: made again, it replaces this file.
    pub(super) fn close_part(&mut self, end_reason: &str) -> Result<Option<(ClosedPart, bool)>, AssemblyError> {
        let Some(mut part) = self.part.take() else { return Ok(None) };
        if let Some(live) = &mut self.features {
            let mut features = Vec::new();
            live.finish(|sample, row| features.push(FeatureRow::new(sample, row)));
            part.append(Batch { features, ..Batch::default() })?;
        }
        let (open, closed) = self.part_paths();
        // What is not sealed counts in the next part.
        let faults = if self.timeline.ended().is_some() { self.timeline.faults() } else { self.sealed_faults };
        let faults = faults.since(self.faults_before);
        let first_sample = self.take.resume.frames;
        let frames = self.sealed.frames.max(first_sample) - first_sample;
        part.finish(end_reason, frames, faults)?;
        let verdict = verify(&open)?;
        // What the sender itself got wrong is counted already; anything more went wrong on the way to the disk.
        let sound = !verdict.damage && verdict.crc_mismatches == faults.crc_mismatches;
        if !sound {
            tracing::error!(path = %closed.display(), "the file does not hold what its journal holds; the journal is kept");
        }
        for problem in &verdict.problems {
            tracing::error!(path = %closed.display(), "{problem}");
        }
        rename(&open, &closed)?;
        tracing::info!(path = %closed.display(), frames, end_reason, "closed");
        let file = closed.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Some((ClosedPart { file, first_sample, frames }, sound)))
    }

    /// The length of the part that is being written.
    pub(super) fn length(&self) -> Duration {
        let frames = if self.part.is_some() { self.sealed.frames.saturating_sub(self.take.resume.frames) } else { 0 };
        Duration::try_from_secs_f64(frames as f64 / self.take.sample_rate).unwrap_or_default()
    }

    /// Takes `part` as closed, with the journal needed from segment `first` on, and lets the next begin where it ends.
    pub(super) fn begin_next(&mut self, part: ClosedPart, first: u32) -> Result<(), AssemblyError> {
        self.commit_take(Some(part), State::Open, Resume { segment: first, ..self.sealed.clone() })?;
        self.faults_before = self.sealed_faults;
        self.features = live(self.plan.as_ref(), &self.take);
        Ok(())
    }

    /// Says in `take.json` what is closed and where the take goes on. Only when that is on disk does it count here too, so
    /// that nobody removes a journal that the next life would need.
    pub(super) fn commit_take(&mut self, part: Option<ClosedPart>, state: State, resume: Resume) -> Result<(), AssemblyError> {
        let mut take = self.take.clone();
        // Files that are being written have the name that `take.json` says.
        if let Some(name) = self.name.as_ref().filter(|_| part.is_some()) {
            take.rename(name);
        }
        take.parts.extend(part);
        take.state = state;
        take.resume = resume;
        take.save(&self.folder)?;
        self.take = take;
        Ok(())
    }
}

/// Computes the features of a part that begins where the take goes on.
fn live(plan: Option<&Arc<Plan>>, take: &Take) -> Option<Live> {
    let plan = plan.filter(|_| take.channels > 0)?;
    Some(Live::new(Arc::clone(plan), usize::from(take.channels), take.resume.frames))
}

/// Adds the rows of the features that the batch's audio completes.
fn measure(live: &mut Live, batch: &mut Batch) {
    let Batch { audio, features, .. } = batch;
    let mut give = |sample, row: features::Row<'_>| features.push(FeatureRow::new(sample, row));
    for piece in audio {
        match piece {
            Piece::Samples(samples) => live.push(samples, &mut give),
            Piece::Missing(frames) => live.skip(*frames, &mut give),
        }
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    let renamed = fs::rename(from, to).and_then(|()| to.parent().map_or(Ok(()), sync_folder));
    renamed.map_err(|source| StoreError::Io { path: to.to_owned(), source })
}
