//! Is the transport late, does it lose, and what does it cost? Live loss and outages beside what Roc and LSL lost, the code beside the
//! bare crates, whole processes.
//!
//!     cargo bench -p send-learn-benches --bench transport [-- recovery | speed | processes [SECONDS]]
//!
//! Prints the tables, and writes them to `benches/results/transport.md` when all are made.

mod processes;
mod recovery;
mod speed;

use std::path::Path;

use anyhow::{Context, Result, bail};
use send_learn_benches::playing::{receiver, sender};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["receiver", data] => receiver(Path::new(data))?,
        ["sender", address, streams, seconds, depth] => sender(address, streams.parse()?, seconds.parse()?, depth)?,
        [] => {
            let mut text = String::from("# The transport, measured\n\n`cargo bench -p send-learn-benches --bench transport`\n");
            for part in [recovery::tables(), speed::table(), processes::tables(30)?] {
                println!("{part}");
                text.push('\n');
                text.push_str(&part);
            }
            let (folder, path) =
                (concat!(env!("CARGO_MANIFEST_DIR"), "/results"), concat!(env!("CARGO_MANIFEST_DIR"), "/results/transport.md"));
            std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::write(path, text))
                .with_context(|| format!("cannot write {path}"))?;
        }
        ["recovery"] => println!("{}", recovery::tables()),
        ["speed"] => println!("{}", speed::table()),
        ["processes"] => println!("{}", processes::tables(30)?),
        ["processes", seconds] => println!("{}", processes::tables(seconds.parse().context("give a number of seconds")?)?),
        _ => bail!("usage: cargo bench -p send-learn-benches --bench transport [-- recovery | speed | processes [SECONDS]]"),
    }
    Ok(())
}
