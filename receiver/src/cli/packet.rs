//! `send-learn packet`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use send_learn::packet::Packet;
use send_learn::source;
use send_learn::store::Recording;

use super::table;

/// Which block.
#[derive(Debug, Args)]
pub(super) struct PacketOptions {
    /// A .h5 file, or a take's folder.
    path: PathBuf,
    /// A position in samples since the take began: the block that holds it is printed.
    #[arg(long, value_name = "SAMPLE")]
    at: u64,
}

pub(super) fn run(options: &PacketOptions) -> anyhow::Result<ExitCode> {
    let packet = Packet::at(&parts(&options.path)?, options.at)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string_pretty(&packet).context("cannot write JSON")?)?;
    if !packet.is_exact() {
        eprintln!("send-learn: the samples do not have the checksum that the sender stated");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The files of the one take at `path`, in order. Those that cannot be read are named, and left out.
fn parts(path: &Path) -> anyhow::Result<Vec<Recording>> {
    let mut parts: Vec<Recording> = Vec::new();
    for file in source::files(path)? {
        match Recording::open(&file) {
            Ok(part) => parts.push(part),
            Err(error) => eprintln!("send-learn: cannot be read, and left out: {}", table::clean(&error.to_string())),
        }
    }
    parts.sort_by_key(|part| (part.summary.take_id.clone(), part.summary.first_sample));
    if parts.iter().any(|part| part.summary.take_id != parts[0].summary.take_id) {
        bail!("{} holds several takes: name one of them", path.display());
    }
    Ok(parts)
}
