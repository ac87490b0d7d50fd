//! `send-learn`: receives and records streams, and looks into recordings.

mod cli;

use std::io;
use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::run(cli::Arguments::parse()) {
        Ok(code) => code,
        // Whoever read the output has seen enough: as when SIGPIPE ends a program.
        Err(error) if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) => {
            ExitCode::from(128 + 13)
        }
        Err(error) => {
            eprintln!("send-learn: {error:#}");
            ExitCode::FAILURE
        }
    }
}
