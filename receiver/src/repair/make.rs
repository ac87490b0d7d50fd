//! Makes files of journals, and of what a file that was never closed holds.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use send_learn_protocol::packet::close::{Gone, GoneReason};

use super::journal::{Survey, count, end_of, identity};
use super::{Options, RepairError, Report, closed_part, file_name, rename};
use crate::archive::Progress;
use crate::assembly::{Advance, Assembly, Making};
use crate::clock::now;
use crate::features::Plans;
use crate::journal::{Frame, Journal, remove_segments, segments, sync_folder};
use crate::source::Sources;
use crate::store::copy::salvage;
use crate::store::verify::verify;
use crate::store::{Recording, StoreError};
use crate::take::{ClosedPart, Resume, State, Take};

/// Bytes of journal between two looks at how far it is.
const TURN: usize = 64 << 20;

/// Frames compared at once.
const STEP: u64 = 1 << 16;

/// Files of samples that are not listed in `take.json`: those that were never closed, and those that were closed just before the end.
pub(super) fn unlisted(folder: &Path, listed: &[ClosedPart]) -> Vec<PathBuf> {
    let named = |path: &PathBuf| listed.iter().any(|part| part.file == file_name(path));
    let samples = |path: &PathBuf| path.to_str().is_some_and(|path| path.ends_with(".h5") || path.ends_with(".h5.part"));
    let items = fs::read_dir(folder).into_iter().flatten().flatten().map(|item| item.path());
    let mut found: Vec<PathBuf> = items.filter(|path| samples(path) && !named(path)).collect();
    found.sort_unstable();
    found
}

/// Makes files of the journal. Those of the same samples that were there before are put aside, and go when the new ones hold all of
/// theirs.
pub(super) fn from_journal(
    folder: &Path,
    take: Take,
    survey: &Survey,
    options: Options,
    report: &mut Report,
) -> Result<(), RepairError> {
    let holes = survey.holes();
    let missing: u64 = holes.iter().map(|hole| hole.count).sum();
    if options.dry_run {
        report.made.push(format!("a file would be made of the journal, from sample {} on", take.resume.frames));
        tell_of_holes(missing, options, report);
        return Ok(());
    }
    let Some(id) = identity(&take) else { return Ok(()) };
    let mut end = survey.end;
    if options.without_missing && missing > 0 {
        let last = segments(folder)?.last().copied().unwrap_or(take.resume.segment);
        let mut journal = Journal::create(folder, id, last + 1)?;
        for range in holes {
            let gone = Gone { range, reason: GoneReason::Other };
            journal.append(&Frame::Gone { gone, arrived: now() });
        }
        end = Some(journal.sync()?);
    }
    let aside = put_aside(folder, &take)?;
    let before = (take.parts.len(), take.resume.frames);
    let progress = Arc::new(Progress::default());
    if let Some(end) = end {
        progress.set_mark(end);
    }
    let making = Making { features: Plans::default().get(take.sample_rate).ok(), ..Making::default() };
    let mut assembly = Assembly::new(id, folder.to_owned(), take, progress, making);
    let made = loop {
        match assembly.advance(TURN) {
            Ok(Advance::More) => {}
            Ok(Advance::CaughtUp) => break assembly.interrupt(),
            Ok(Advance::Ended) => break assembly.complete(),
            Err(error) => break Err(error),
        }
    };
    if let Err(error) = made {
        // As it was: what was put aside is there again, and the journal was not touched.
        for (path, aside) in aside {
            rename(&aside, &path)?;
        }
        return Err(error.into());
    }
    let take = assembly.into_take();
    tell_what_was_made(folder, &take, before, report)?;
    tell_of_holes(missing, options, report);
    if take.state == State::Complete {
        remove_segments(folder, |_| true)?;
    }
    for (path, aside) in aside {
        match holds_all_of(folder, &aside) {
            Ok(true) => fs::remove_file(&aside).map_err(|source| RepairError::Io { path: aside, source })?,
            Ok(false) if verify(&aside).is_ok_and(|verdict| verdict.finished && !verdict.is_good()) => {
                report.advice.push(format!("the damaged file is kept as {}; it is not needed any more", file_name(&aside)));
            }
            Ok(false) => {
                report.missing.push(format!(
                    "{} holds samples that the journal does not; it is kept as {}",
                    file_name(&path),
                    file_name(&aside)
                ));
            }
            // What cannot be read holds nothing that a program could get at; a person may know better.
            Err(error) => report.advice.push(format!("{} cannot be read ({error}); it is not needed any more", file_name(&aside))),
        }
    }
    Ok(())
}

fn tell_what_was_made(folder: &Path, take: &Take, before: (usize, u64), report: &mut Report) -> Result<(), RepairError> {
    for part in &take.parts[before.0..] {
        let verdict = verify(&folder.join(&part.file))?;
        let seconds = part.frames as f64 / take.sample_rate;
        report.made.push(format!(
            "{}: samples {} to {} ({seconds:.1} s), made of the journal",
            part.file,
            part.first_sample,
            (part.first_sample + part.frames).saturating_sub(1)
        ));
        for problem in verdict.problems {
            report.missing.push(format!("{}: {problem}", part.file));
        }
        if verdict.gap_frames > 0 {
            report.found.push(format!("{}: {} are missing, as its gaps say", part.file, count(verdict.gap_frames, "frame")));
        }
    }
    match take.state {
        State::Complete => report.made.push("the take is complete".to_owned()),
        State::Interrupted => report.advice.push(
            "the take has no end yet: if its sender comes back while a receiver records to this folder, it goes on where it stopped".to_owned(),
        ),
        State::Damaged => report.missing.push("the new file does not pass its check; the journal is kept".to_owned()),
        State::Open => {}
    }
    Ok(())
}

fn tell_of_holes(missing: u64, options: Options, report: &mut Report) {
    if missing == 0 {
        return;
    }
    let entries = count(missing, "entry");
    if options.without_missing {
        report.missing.push(format!("{entries} of the sender's log that never arrived: gaps name the samples"));
    } else {
        report.missing.push(format!("{entries} of the sender's log never arrived; what came after them waits in the journal"));
        report.advice.push(
            "the sender may still have them, and sends them when it meets a receiver that records to this folder; to do without, say \
             --without-missing"
                .to_owned(),
        );
    }
}

/// Renames what would be made again: path, and where it lies now.
fn put_aside(folder: &Path, take: &Take) -> Result<Vec<(PathBuf, PathBuf)>, RepairError> {
    let mut aside = Vec::new();
    for path in unlisted(folder, &take.parts) {
        let to = free_name(folder, &path);
        rename(&path, &to)?;
        aside.push((path, to));
    }
    sync_folder(folder).map_err(|source| RepairError::Io { path: folder.to_owned(), source })?;
    Ok(aside)
}

fn free_name(folder: &Path, path: &Path) -> PathBuf {
    let name = |number: u32| folder.join(format!("{}.before-repair-{number}", file_name(path)));
    (1..u32::MAX).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(u32::MAX))
}

/// Whether the closed files of the folder hold every sample that `old` does.
fn holds_all_of(folder: &Path, old: &Path) -> Result<bool, StoreError> {
    let old = Recording::open(old)?;
    let files = crate::source::files(folder).unwrap_or_default();
    let sources = Sources::open(&files);
    let Some(new) = sources.takes.iter().find(|take| take.summary.take_id == old.summary.take_id) else { return Ok(false) };
    let (first, end) = (old.summary.first_sample, old.summary.first_sample + old.summary.committed_frames);
    if end > new.end() {
        return Ok(false);
    }
    for begin in (first..end).step_by(STEP as usize) {
        let until = end.min(begin + STEP);
        let (one, two) = (old.audio(begin - first..until - first)?, new.audio(begin..until)?);
        if old.summary.channels > 0 && !one.iter().map(|sample| sample.to_bits()).eq(two.iter().map(|sample| sample.to_bits())) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Sets the take back to where part `index` begins, if it is the last one and the journal still has it. False when it has not.
pub(super) fn begin_again_at(
    folder: &Path,
    take: &mut Take,
    index: usize,
    survey: &Survey,
    options: Options,
    report: &mut Report,
) -> Result<bool, RepairError> {
    let part = take.parts[index].clone();
    // The journal may reach further back than what take.json asks of it.
    let first = segments(folder)?.first().copied();
    let from_begin = Take { resume: Resume { segment: first.unwrap_or(1), ..Resume::default() }, ..take.clone() };
    let all = Survey::of(folder, &from_begin)?;
    let place = if index + 1 == take.parts.len() { end_of(folder, &from_begin, &all, part.first_sample)? } else { None };
    let Some((entry, records)) = place.filter(|_| survey.segments > 0 || all.segments > 0) else {
        report.advice.push(format!("{} cannot be made again: the journal does not have it any more", part.file));
        return Ok(false);
    };
    if options.dry_run {
        report.made.push(format!("{} would be made again of the journal", part.file));
        return Ok(false);
    }
    report.missing.retain(|line| !line.starts_with(&part.file));
    report.found.push(format!("{} is damaged or gone, but the journal has all of it", part.file));
    take.parts.truncate(index);
    take.state = State::Open;
    take.resume = Resume {
        entry,
        records,
        frames: part.first_sample,
        segment: first.unwrap_or(1),
        parameters: take.resume.parameters.clone(),
    };
    take.save(folder)?;
    Ok(true)
}

/// Of a take whose journal is not here: closes what can be trusted of its unfinished file, in a new one.
pub(super) fn without_journal(
    folder: &Path,
    mut take: Take,
    unfinished: &[PathBuf],
    options: Options,
    report: &mut Report,
) -> Result<(), RepairError> {
    for path in unfinished {
        let old = match Recording::open(path) {
            Ok(old) => old,
            Err(error) => {
                report
                    .missing
                    .push(format!("{}: it cannot be read, and there is no journal to make it again of ({error})", file_name(path)));
                continue;
            }
        };
        let end = take.parts.last().map_or(0, |part| part.first_sample + part.frames);
        if old.summary.take_id != take.take_id || old.summary.first_sample != end {
            report
                .found
                .push(format!("{}: it does not go on where the files of this take end; it is left as it is", file_name(path)));
            continue;
        }
        let closed = folder.join(take.part_file(take.next_part()));
        if options.dry_run {
            report.made.push(format!("{} would be closed as far as it can be trusted", file_name(path)));
            continue;
        }
        if !old.summary.closed {
            let new = folder.join(format!("{}.new", file_name(&closed)));
            salvage(&old, &new)?;
            drop(old);
            rename(&new, &closed)?;
            report.advice.push(format!("{} is kept: what the new file does not have of it cannot be trusted", file_name(path)));
        } else if *path != closed {
            rename(path, &closed)?;
        }
        sync_folder(folder).map_err(|source| RepairError::Io { path: folder.to_owned(), source })?;
        let part = closed_part(&closed)?;
        report.made.push(format!(
            "{}: samples {} to {}, as far as the unfinished file can be trusted",
            part.file,
            part.first_sample,
            (part.first_sample + part.frames).saturating_sub(1)
        ));
        report.missing.push("what came after them: the journal is not here".to_owned());
        take.resume.frames = part.first_sample + part.frames;
        take.parts.push(part);
        // Its sender may have more, and keeps it: this folder cannot say any more what it has of the sender's log.
        take.state = State::Damaged;
        take.save(folder)?;
    }
    Ok(())
}
