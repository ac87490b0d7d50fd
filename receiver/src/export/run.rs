//! The way of every export: shards are planned, sequences made on all cores, files written one after another under temporary names,
//! and the manifest last. What an interrupted export has finished stays.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::manifest::{Contents, ExportedFile, MANIFEST, Manifest, Skipped, describe};
use super::order::in_order;
use super::shards::{Job, divide};
use super::{ExportError, Format, Shard, ShardPlan, card, write_error};
use crate::digest::hexadecimal;
use crate::journal::sync_folder;
use crate::sequences::{Plan, PrepareError, Settings, Workshop};
use crate::source::{Sources, told_within_data};
use crate::store::StoreError;

/// The folder within an export for what is unfinished; it goes when the manifest has come.
const UNFINISHED: &str = ".unfinished";

/// The file in [`UNFINISHED`] that says of which plan it is.
const STAMP: &str = "plan";

/// The dataset card.
const CARD: &str = "README.md";

/// What to export, and where to.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The recordings.
    pub sources: &'a Sources,
    /// What was planned from them.
    pub plan: &'a Plan,
    /// With which settings.
    pub settings: &'a Settings,
    /// The folder to make.
    pub out: &'a Path,
    /// Whether samples go along in formats where that is a choice.
    pub audio: bool,
    /// About how large a file may become, in bytes.
    pub file_limit: u64,
    /// Threads that make sequences.
    pub threads: usize,
}

/// What a finished file holds: its record in [`UNFINISHED`].
#[derive(Serialize, Deserialize)]
struct Done {
    contents: Contents,
    files: Vec<ExportedFile>,
}

/// Exports in `format`; `progress` hears how many sequences are done.
///
/// # Errors
/// [`ExportError`]. What was finished is kept, and the same call goes on there.
pub(super) fn run<F: Format>(format: &F, request: &Request<'_>, progress: &dyn Fn(u64)) -> Result<Manifest, ExportError> {
    // Where it is no choice, saying it makes no other export.
    let request = &Request { audio: request.audio && F::OPTIONAL_AUDIO, ..*request };
    let Request { plan, settings, out, .. } = request;
    if plan.sequences.is_empty() {
        return Err(ExportError::Nothing { left_out: plan.left_out.iter().map(|(reason, count)| (*reason, *count)).collect() });
    }
    let digest = plan_digest(F::NAME, request);
    if let Some(manifest) = finished(format, request, &digest)? {
        progress(plan.sequences.len() as u64);
        return Ok(manifest);
    }
    let unfinished = claim(out, &digest)?;
    let workshop = Workshop::new(request.sources, settings, F::FEATURES);
    let (mut contents, mut files) = (Contents::default(), Vec::new());
    let mut before = 0;
    for job in divide(format, request) {
        let record = unfinished.join(format!("{}.json", job.name));
        let done = match earlier(&record, out) {
            Some(done) => done,
            None => {
                let done = write(format, request, &workshop, &job, &unfinished, &|count| progress(before + count))?;
                save(&record, &done)?;
                done
            }
        };
        before += job.sequences.len() as u64;
        progress(before);
        contents.add(&done.contents);
        files.extend(done.files);
    }
    conclude(format, request, digest, contents, files)
}

/// Writes what stands beside the files of an export that are done, and the manifest last.
fn conclude<F: Format>(
    format: &F,
    request: &Request<'_>,
    digest: String,
    contents: Contents,
    files: Vec<ExportedFile>,
) -> Result<Manifest, ExportError> {
    let Request { settings, out, .. } = request;
    let mut manifest = manifest_of::<F>(request, digest, contents, files);
    for (name, bytes) in format
        .companions(settings, request.audio)
        .into_iter()
        .chain([(CARD.to_owned(), card::card(&manifest, F::FEATURES).into_bytes())])
    {
        let path = out.join(&name);
        fs::write(&path, bytes).map_err(write_error(&path))?;
        manifest.files.extend(describe(&path, &name).map_err(write_error(&path))?);
    }
    save(&out.join(MANIFEST), &manifest)?;
    let unfinished = out.join(UNFINISHED);
    remove(&unfinished).map_err(write_error(&unfinished))?;
    Ok(manifest)
}

fn manifest_of<F: Format>(request: &Request<'_>, digest: String, contents: Contents, files: Vec<ExportedFile>) -> Manifest {
    let Request { plan, settings, .. } = request;
    Manifest {
        format: "send-learn-dataset".to_owned(),
        version: 1,
        export: F::NAME.to_owned(),
        writer_version: env!("CARGO_PKG_VERSION").to_owned(),
        plan: digest,
        settings: (*settings).clone(),
        audio: request.audio,
        contents,
        performances: plan.performances.clone(),
        repeated_takes: plan.repeated_takes(),
        left_out: plan.left_out.clone(),
        broken: request.sources.broken.iter().chain(&plan.broken).map(StoreError::within_data).collect(),
        files,
    }
}

/// One file: sequences are made on all cores and written in order.
fn write<F: Format>(
    format: &F,
    request: &Request<'_>,
    workshop: &Workshop<'_>,
    job: &Job<'_>,
    unfinished: &Path,
    progress: &dyn Fn(u64),
) -> Result<Done, ExportError> {
    let plan = ShardPlan {
        path: unfinished.join(&job.name),
        name: job.name.clone(),
        split: job.split,
        sequences: job.sequences.len(),
        settings: request.settings.clone(),
        audio: request.audio,
    };
    remove(&plan.path).map_err(write_error(&plan.path))?;
    let contents = fill(format, request.threads, workshop, job, &plan, progress).inspect_err(|_| {
        // Half a file helps nobody, and on a full disk it is in the way.
        let _ = remove(&plan.path);
    })?;
    let path = request.out.join(&job.name);
    let publish = || {
        remove(&path)?;
        fs::rename(&plan.path, &path)?;
        sync(&path)?;
        sync_folder(request.out)?;
        describe(&path, &job.name)
    };
    Ok(Done { contents, files: publish().map_err(write_error(&path))? })
}

/// Writes the sequences of a file that is not yet published.
fn fill<F: Format>(
    format: &F,
    threads: usize,
    workshop: &Workshop<'_>,
    job: &Job<'_>,
    plan: &ShardPlan,
    progress: &dyn Fn(u64),
) -> Result<Contents, ExportError> {
    let mut contents = Contents::default();
    let mut shard = format.shard(plan)?;
    let make = |item: usize| {
        let sequence = workshop.prepare(job.sequences[item]).map_err(|error| told(&error))?;
        let item = format.encode(&sequence, plan).map_err(|error| format!("{}: {error}", sequence.about.id))?;
        Ok::<_, String>((sequence.about, item))
    };
    in_order(job.sequences.len(), threads, make, |number, made| {
        match made {
            Ok((about, item)) => {
                shard.add(item)?;
                contents.count(&about);
            }
            Err(why) => contents.skipped.push(Skipped { why }),
        }
        progress(number as u64 + 1);
        Ok::<_, ExportError>(())
    })?;
    shard.finish()?;
    Ok(contents)
}

/// Why a sequence cannot be made, in words for others.
fn told(error: &PrepareError) -> String {
    match error {
        PrepareError::Store(error) => error.within_data(),
        PrepareError::Features { path, .. } => told_within_data(&error.to_string(), path),
    }
}

/// The manifest of an export that is complete; none where there is still something to do. What its sequences are made of has not
/// changed; what was left out and what is broken may have: card and manifest are written again.
fn finished<F: Format>(format: &F, request: &Request<'_>, digest: &str) -> Result<Option<Manifest>, ExportError> {
    let out = request.out;
    let path = out.join(MANIFEST);
    let Ok(bytes) = fs::read(&path) else { return Ok(None) };
    let manifest = match serde_json::from_slice::<Manifest>(&bytes) {
        Ok(manifest) if manifest.plan == digest => manifest,
        _ => return Err(ExportError::Occupied { out: out.to_owned() }),
    };
    let is_whole = manifest.files.iter().all(|file| is_there(file, out));
    if is_whole && manifest == manifest_of::<F>(request, manifest.plan.clone(), manifest.contents.clone(), manifest.files.clone()) {
        // A kill right after the manifest leaves the folder behind.
        let unfinished = out.join(UNFINISHED);
        remove(&unfinished).map_err(write_error(&unfinished))?;
        return Ok(Some(manifest));
    }
    let companions = format.companions(request.settings, request.audio);
    let is_companion = |file: &ExportedFile| file.name == CARD || companions.iter().any(|(name, _)| *name == file.name);
    let files: Vec<ExportedFile> = manifest.files.into_iter().filter(|file| !is_companion(file)).collect();
    if files.iter().all(|file| is_there(file, out)) {
        return conclude(format, request, manifest.plan, manifest.contents, files).map(Some);
    }
    // Files are gone or others: it is an unfinished export again.
    begin(out, digest)?;
    fs::remove_file(&path).map_err(write_error(&path))?;
    Ok(None)
}

/// Makes the folder, or takes up the one that an interrupted export of the same plan left.
fn claim(out: &Path, digest: &str) -> Result<PathBuf, ExportError> {
    let stamp = out.join(UNFINISHED).join(STAMP);
    let empty = fs::read_dir(out).map_or(true, |mut items| items.next().is_none());
    if empty {
        begin(out, digest)?;
    } else if !fs::read_to_string(&stamp).is_ok_and(|there| there == digest) {
        return Err(ExportError::Occupied { out: out.to_owned() });
    }
    Ok(out.join(UNFINISHED))
}

/// Makes the folder for what is unfinished, with the plan that it is of.
fn begin(out: &Path, digest: &str) -> Result<(), ExportError> {
    let unfinished = out.join(UNFINISHED);
    fs::create_dir_all(&unfinished).map_err(|source| ExportError::Folder { out: out.to_owned(), source })?;
    let stamp = unfinished.join(STAMP);
    fs::write(&stamp, digest).map_err(write_error(&stamp))
}

/// What an interrupted export finished, if all its files are as they were.
fn earlier(record: &Path, out: &Path) -> Option<Done> {
    let done: Done = serde_json::from_slice(&fs::read(record).ok()?).ok()?;
    done.files.iter().all(|file| is_there(file, out)).then_some(done)
}

/// Whether a file is there, as long as it was.
fn is_there(file: &ExportedFile, out: &Path) -> bool {
    fs::metadata(out.join(&file.name)).is_ok_and(|found| found.len() == file.bytes)
}

/// Writes JSON whole or not at all.
fn save(path: &Path, value: &impl Serialize) -> Result<(), ExportError> {
    let new = path.with_extension("json.new");
    let save = || {
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(value)?)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    save().map_err(write_error(path))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

/// Syncs a file, or all files of a folder.
fn sync(path: &Path) -> io::Result<()> {
    if !path.is_dir() {
        return File::open(path)?.sync_all();
    }
    fs::read_dir(path)?.try_for_each(|item| sync(&item?.path()))?;
    sync_folder(path)
}

/// SHA-256 over all that decides what the files hold.
fn plan_digest(format: &str, request: &Request<'_>) -> String {
    let mut hasher = Sha256::new();
    let settings = serde_json::to_string(request.settings).unwrap_or_default();
    hasher.update(format!("{format} {} {settings} {} {}\n", env!("CARGO_PKG_VERSION"), request.audio, request.file_limit));
    for planned in &request.plan.sequences {
        hasher.update(planned.identity(request.sources));
    }
    hexadecimal(&hasher.finalize())
}
