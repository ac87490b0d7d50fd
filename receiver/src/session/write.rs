//! Writes an index, and removes those that are of no more use.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::place::{Place, Placed, places};
use super::{File, IndexError, Session, Stream, Written, files_of, io, linked};
use crate::journal::sync_folder;
use crate::take::date_and_time;

/// What the documents call themselves.
pub const FORMAT: &str = "send-learn-session";

/// The version of the documents.
pub const VERSION: u32 = 1;

/// Writes the index of one session into the folder of the day on which it began.
pub(super) fn write(takes: &[Placed]) -> Result<Written, IndexError> {
    let day = takes[0].folder.parent().unwrap_or(Path::new("."));
    let places = places(takes);
    let session = describe(takes, &places, day);
    let name = name(&session);
    let (json, data) = (day.join(format!("{name}.json")), day.join(format!("{name}.hdf5")));
    // First the data, then the document that names it; each whole or not at all.
    let new = day.join(format!(".{name}.hdf5.new"));
    linked::write(&new, &session, &places)?;
    fs::rename(&new, &data).map_err(io(&data))?;
    let new = day.join(format!(".{name}.json.new"));
    let save = || {
        let mut file = fs::File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(&session)?)?;
        file.sync_all()?;
        fs::rename(&new, &json)?;
        sync_folder(day)
    };
    save().map_err(io(&json))?;
    remove_parts_of(day, &json, &session)?;
    Ok(Written { path: json, streams: session.streams.len() })
}

/// Removes the indices in `day` that were not just written: their takes are gone, or in another session.
pub(super) fn remove_others(day: &Path, written: &[Written]) -> Result<(), IndexError> {
    for (json, _) in indices(day) {
        if !written.iter().any(|index| index.path == json) {
            remove(&json)?;
        }
    }
    Ok(())
}

/// Removes other indices in `day` all takes of which are in `session`: it has grown to hold them.
fn remove_parts_of(day: &Path, own: &Path, session: &Session) -> Result<(), IndexError> {
    let held = |take: &String| session.streams.iter().any(|stream| stream.take_id == *take);
    for (json, takes) in indices(day) {
        if json != own && takes.iter().all(held) {
            remove(&json)?;
        }
    }
    Ok(())
}

/// Removes the indices in `day` none of whose files is there any more.
///
/// # Errors
/// What the operating system says.
pub fn forget_what_is_gone(day: &Path) -> std::io::Result<()> {
    for (json, document) in documents(day) {
        let files = document["streams"].as_array().into_iter().flatten().flat_map(|stream| stream["files"].as_array()).flatten();
        if !files.filter_map(|file| file["path"].as_str()).any(|path| day.join(path).exists()) {
            remove(&json).map_err(std::io::Error::other)?;
        }
    }
    Ok(())
}

/// The indices in a folder, and their takes.
fn indices(day: &Path) -> Vec<(PathBuf, Vec<String>)> {
    let takes = |document: serde_json::Value| {
        let streams = document["streams"].as_array().into_iter().flatten();
        streams.filter_map(|stream| Some(stream["take_id"].as_str()?.to_owned())).collect()
    };
    documents(day).into_iter().map(|(path, document)| (path, takes(document))).collect()
}

/// The documents of the indices in a folder. What is not ours is left alone.
fn documents(day: &Path) -> Vec<(PathBuf, serde_json::Value)> {
    let read = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix("session-")?.strip_suffix(".json")?;
        let document: serde_json::Value = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        (document["format"].as_str()? == FORMAT && document["streams"].is_array()).then_some((path, document))
    };
    fs::read_dir(day).into_iter().flatten().flatten().filter_map(|item| read(item.path())).collect()
}

fn remove(json: &Path) -> Result<(), IndexError> {
    let data = json.with_extension("hdf5");
    for path in [json, &data] {
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(path)(error)),
            _ => {}
        }
    }
    Ok(())
}

/// `session-HHMMSS-TAKE8`, by its first take.
fn name(session: &Session) -> String {
    let (_, time) = date_and_time(session.started_unix_nanos / 1_000_000_000);
    let take = session.streams.first().map_or("", |stream| stream.take_id.get(..8).unwrap_or_default());
    format!("session-{time}-{take}")
}

fn describe(takes: &[Placed], places: &[Place], day: &Path) -> Session {
    let first = &takes[0].source.summary;
    let streams: Vec<Stream> = takes.iter().zip(places).map(|(take, place)| stream(take, place, day)).collect();
    let end = |stream: &Stream| (stream.offset + stream.frames as f64 * stream.rate).ceil() as u64;
    Session {
        format: FORMAT,
        version: VERSION,
        started_unix_nanos: first.started_unix_nanos,
        sample_rate: first.sample_rate,
        frames: streams.iter().map(end).max().unwrap_or(0),
        streams,
    }
}

fn stream(take: &Placed, place: &Place, day: &Path) -> Stream {
    let summary = &take.source.summary;
    Stream {
        name: summary.name.clone(),
        stream_id: summary.stream_id.clone(),
        take_id: summary.take_id.clone(),
        machine: summary.machine.clone(),
        host: summary.host.clone(),
        project: summary.project.clone(),
        started_unix_nanos: summary.started_unix_nanos,
        sample_rate: summary.sample_rate,
        channels: summary.channels,
        frames: take.source.end(),
        offset: place.offset,
        rate: place.rate,
        alignment: place.alignment,
        uncertainty_seconds: place.uncertainty,
        files: files_of(&take.source)
            .map(|(path, first_sample, frames)| File { path: relative(path, day), first_sample, frames })
            .collect(),
    }
}

/// The path of a file in a take's folder, from the folder of a day.
fn relative(path: &Path, day: &Path) -> String {
    let names = |path: &Path| path.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>().join("/");
    match path.strip_prefix(day) {
        Ok(path) => names(path),
        // On another day: the days lie beside one another.
        Err(_) => day
            .parent()
            .and_then(|data| path.strip_prefix(data).ok())
            .map_or_else(|| names(path), |path| format!("../{}", names(path))),
    }
}
