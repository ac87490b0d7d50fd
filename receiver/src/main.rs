//! `send-learn`: receives and records streams, and looks into recordings.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match cli::run(cli::Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("send-learn: {error:#}");
            ExitCode::FAILURE
        }
    }
}
