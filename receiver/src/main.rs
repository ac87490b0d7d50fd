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
            eprintln!("send-learn: {}", explain(&error));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, but for those that the words before have already named.
fn explain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        said if said.contains(&cause) => text,
        _ => format!("{text}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::explain;

    #[test]
    fn a_cause_is_named_once() {
        let error = anyhow!("disk full").context("cannot write a.h5: disk full").context("the export stopped");
        assert_eq!(explain(&error), "the export stopped: cannot write a.h5: disk full");
    }
}
