//! `send-learn list`.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use send_learn::control::{Answer, Request, ask};
use send_learn::store::Recording;
use send_learn::take::{State, Take, folders};

use super::table;

pub(super) fn run(data: &Path) -> anyhow::Result<ExitCode> {
    let folders = folders(data).with_context(|| format!("cannot read {}", data.display()))?;
    // What the running receiver still hears; without one nothing is known of that.
    let heard = match ask(data, Request::Status) {
        Ok(Answer::Status(status)) => Some(status.streams.into_iter().map(|stream| stream.take).collect::<Vec<_>>()),
        _ => None,
    };
    let mut rows = vec![["STARTED (UTC)", "NAME", "LENGTH", "RATE", "CH", "STATE", "FOLDER"].map(str::to_owned).to_vec()];
    let mut code = ExitCode::SUCCESS;
    for folder in folders {
        match Take::load(&folder) {
            Ok(take) => rows.push(row(data, &folder, &take, heard.as_deref())),
            Err(error) => {
                eprintln!("send-learn: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    if rows.len() == 1 {
        writeln!(io::stdout(), "no takes in {}", data.display())?;
    } else {
        table::print(&mut io::stdout().lock(), &rows)?;
    }
    Ok(code)
}

fn row(data: &Path, folder: &Path, take: &Take, heard: Option<&[String]>) -> Vec<String> {
    let frames = take.parts.iter().map(|part| part.frames).sum::<u64>() + growing(folder, take);
    let state = match take.state {
        // Its sender has sent it all, and its file is being made.
        State::Open if heard.is_some_and(|heard| !heard.contains(&take.take_id)) => "closing",
        State::Open => "open",
        State::Interrupted => "interrupted",
        State::Complete => "complete",
        State::Damaged => "DAMAGED",
    };
    let name = if take.name().is_empty() { "(no name)" } else { take.name() };
    vec![
        table::time(take.started_unix_nanos),
        name.to_owned(),
        table::duration(frames as f64 / take.sample_rate),
        take.sample_rate.to_string(),
        take.channels.to_string(),
        state.to_owned(),
        folder.strip_prefix(data).unwrap_or(folder).display().to_string(),
    ]
}

/// Frames in the part that is being written, as far as it can be read.
fn growing(folder: &Path, take: &Take) -> u64 {
    let part = folder.join(take.part_file(take.next_part()) + ".part");
    if take.state == State::Open && part.is_file() {
        Recording::open(&part).map_or(0, |part| part.summary.committed_frames)
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use send_learn::store::PartWriter;
    use send_learn::store::writer::Part;
    use send_learn::timeline::{Batch, Piece};
    use send_learn_protocol::packet::hello::{Description, PropertyKey};
    use send_learn_protocol::units::{HostId, HostNanos, MachineId, StreamId, TakeId};

    use super::*;

    #[test]
    fn an_open_take_has_the_length_of_what_is_written_and_closes_when_its_sender_is_done() {
        let data = tempfile::tempdir().unwrap();
        let description = Description {
            stream: StreamId::random(),
            take: TakeId::random(),
            host: HostId::random(),
            machine: MachineId::random(),
            sample_rate: 48_000.0,
            channels: 1,
            max_block: 480,
            started_unix_nanos: 0,
            started: HostNanos(0),
            properties: vec![(PropertyKey::NAME, "Bass".into())],
        };
        let take = Take::new(&description);
        let mut writer = PartWriter::create(&data.path().join(take.part_file(1) + ".part"), &description, Part::FIRST).unwrap();
        writer.append(Batch { audio: vec![Piece::Samples(vec![0.5; 96_000])], ..Batch::default() }).unwrap();
        writer.flush().unwrap();
        // Five whole chunks of 16,384 frames.
        let cells = |heard: Option<&[String]>| {
            let row = row(data.path(), data.path(), &take, heard);
            (row[2].clone(), row[5].clone())
        };
        let heard = [take.take_id.clone()];
        assert_eq!(cells(Some(&heard)), ("0:01.7".into(), "open".into()));
        assert_eq!(cells(Some(&[])), ("0:01.7".into(), "closing".into()));
        assert_eq!(cells(None), ("0:01.7".into(), "open".into()), "without a receiver nothing closes it");
    }
}
