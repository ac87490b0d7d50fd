//! The index as an HDF5 file: links to the files of the streams, and their audio as virtual datasets on the timeline.

use std::path::Path;

use hdf5::Group;

use super::place::{Place, pieces};
use super::{FORMAT, IndexError, Session, Stream, VERSION};
use crate::store::attributes::{create, write_text};
use crate::store::{StoreError, options};

/// A virtual sample lies at most this far from its true place, in seconds.
const TOLERANCE: f64 = 0.001;

/// Writes the file at `path`.
pub(super) fn write(path: &Path, session: &Session, places: &[Place]) -> Result<(), IndexError> {
    let write = || {
        let file = options().create(path)?;
        write_text(&file, "format", FORMAT)?;
        create(&file, "schema_version", &VERSION)?;
        create(&file, "started_unix_nanos", &session.started_unix_nanos)?;
        create(&file, "sample_rate", &session.sample_rate)?;
        create(&file, "frames", &session.frames)?;
        let streams = file.create_group("streams")?;
        for (index, (stream, place)) in session.streams.iter().zip(places).enumerate() {
            let group = streams.create_group(&format!("{:03}-{}", index + 1, crate::take::slug(&stream.name)))?;
            describe(&group, stream)?;
            let parts = group.create_group("parts")?;
            for (number, file) in stream.files.iter().enumerate() {
                parts.link_external(&file.path, "/", &format!("{:04}", number + 1))?;
            }
            if stream.channels > 0 && stream.sample_rate == session.sample_rate {
                audio(&group, session, stream, place)?;
            }
        }
        file.flush()
    };
    let written: hdf5::Result<()> = write();
    written.map_err(|source| StoreError::Hdf5 { path: path.to_owned(), source }.into())
}

fn describe(group: &Group, stream: &Stream) -> hdf5::Result<()> {
    for (name, text) in [
        ("name", &stream.name),
        ("stream_id", &stream.stream_id),
        ("take_id", &stream.take_id),
        ("machine", &stream.machine),
        ("host", &stream.host),
        ("project", &stream.project),
    ] {
        write_text(group, name, text)?;
    }
    write_text(group, "alignment", stream.alignment)?;
    create(group, "started_unix_nanos", &stream.started_unix_nanos)?;
    create(group, "sample_rate", &stream.sample_rate)?;
    create(group, "channels", &stream.channels)?;
    create(group, "frames", &stream.frames)?;
    create(group, "offset", &stream.offset)?;
    create(group, "rate", &stream.rate)?;
    create(group, "uncertainty_seconds", &stream.uncertainty_seconds.unwrap_or(f64::NAN))
}

/// The stream's audio, each part where it lies on the timeline; zeros around it.
fn audio(group: &Group, session: &Session, stream: &Stream, place: &Place) -> hdf5::Result<()> {
    let (whole, channels) = (session.frames as usize, usize::from(stream.channels));
    let mut builder = group.new_dataset::<f32>();
    for file in &stream.files {
        for piece in pieces(place, file.first_sample, file.frames, TOLERANCE * session.sample_rate) {
            let from = (piece.sample - file.first_sample) as usize;
            let (at, frames) = (piece.at as usize, (piece.frames as usize).min(whole.saturating_sub(piece.at as usize)));
            if frames > 0 {
                builder = builder.virtual_map(
                    &file.path,
                    "audio",
                    (file.frames as usize, channels),
                    (from..from + frames, 0..channels),
                    (whole, channels),
                    (at..at + frames, 0..channels),
                );
            }
        }
    }
    let audio = builder.shape((whole, channels)).create("audio")?;
    write_text(&audio, "about", "The stream's samples on the session's timeline, read from its files; zeros where it has none.")?;
    write_text(&audio, "unit", "full scale")
}
