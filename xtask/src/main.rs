//! `cargo xtask`: the commands of the README. It sets up the machine, builds, and runs the demo and the tests.

#![forbid(unsafe_code)]

mod bundle;
mod cache;
mod demo;
mod files;
mod fuzz;
mod install;
mod lint;
mod plan;
mod products;
mod readers;
mod shell;
mod system;
mod test;

use std::process::ExitCode;

use anyhow::{Result, bail};

use cache::Cache;
use plan::Plan;

const USAGE: &str = "\
cargo xtask setup                            install what the system lacks, and the Python readers
cargo xtask demo [--wav A.wav] [--midi B.mid] [--soundfont C.sf2] [--no-view]
                                             play a piece through the plugin, record it, compare, show it
cargo xtask test [--no-view] [--long] [--ardour] [NAME...]
                                             every test; with names, only the tests whose name contains one;
                                             --long: accidents at every moment, not only at some; an hour of networks;
                                             --ardour: also on a track of Ardour, which it installs
cargo xtask fuzz [--seconds 60] [--save] [TARGET...]
                                             feed parsers and state machines by a fuzzer; --save keeps what it learnt
cargo xtask bundle [--universal]             the VST3 and CLAP bundles and the studio machine's programs, in release mode
cargo xtask install-plugin [--dry-run]       the same, and the bundles into your folders for plugins
cargo xtask lint [--no-view]                 formatting, clippy, documentation, licences

--no-view leaves out the viewer, which takes longest to build.
Build output and tools are kept in $SEND_LEARN_CACHE, else $XDG_CACHE_HOME/send-learn, else ~/.cache/send-learn.";

fn main() -> ExitCode {
    if let Some(ended) = fuzz::as_compiler() {
        return ended;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nfailed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let Some((command, options)) = arguments.split_first() else {
        bail!("which command?\n\n{USAGE}");
    };
    if matches!(command.as_str(), "help" | "--help" | "-h") {
        println!("{USAGE}");
        return Ok(());
    }
    let cache = Cache::open()?;
    let mut plan = Plan::new(&cache);
    match command.as_str() {
        "setup" => {
            none_left(options)?;
            system::add(&mut plan, system::Purpose::Test);
            readers::add(&mut plan, &cache, readers::Set::All);
        }
        "demo" => demo::add(&mut plan, &cache, options)?,
        "test" => test::add(&mut plan, &cache, options)?,
        "fuzz" => fuzz::add(&mut plan, &cache, options)?,
        "bundle" => bundle::add(&mut plan, &cache, options)?,
        "install-plugin" => install::add(&mut plan, &cache, options)?,
        "lint" => lint::add(&mut plan, &cache, options)?,
        other => bail!("there is no command {other:?}\n\n{USAGE}"),
    }
    plan.run()
}

/// Refuses options where a command has none.
fn none_left(options: &[String]) -> Result<()> {
    match options.first() {
        Some(option) => bail!("unknown option {option:?}\n\n{USAGE}"),
        None => Ok(()),
    }
}
