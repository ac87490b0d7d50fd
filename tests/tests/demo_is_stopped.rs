//! Whatever signal ends the demo, nothing that it has started goes on.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use send_learn_tests::process::{Process, wait_for};
use send_learn_tests::products::{self, Program};

/// How long the demo and what it has started may take to end.
const END: Duration = Duration::from_secs(10);

#[test]
fn interrupted_terminated_hung_up_or_killed_the_demo_ends_its_receiver() -> Result<()> {
    // What is killed can end nothing itself: Linux does.
    let killed = cfg!(target_os = "linux").then_some(Signal::KILL);
    for signal in [Signal::INT, Signal::TERM, Signal::HUP].into_iter().chain(killed) {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(products::program(Program::Demo)?);
        command.arg("--programs").arg(products::folder()?).arg("--plugin").arg(products::path("SEND_LEARN_CLAP")?);
        command.arg("--python").arg(products::path("SEND_LEARN_PYTHON")?).arg("--folder").arg(folder.path());
        command.arg("--midi").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/piece.mid"));
        let mut demo = Process::start(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let mut said = BufReader::new(demo.child().stdout.take().context("no output")?).lines().map_while(Result::ok);

        let listens = |line: String| line.strip_prefix("The receiver listens on ")?.trim_end_matches('.').parse().ok();
        let receiver: SocketAddr = said.find_map(listens).context("the receiver did not come up")?;
        demo.signal(signal)?;
        let status = demo.wait(END)?;
        if Some(signal) != killed {
            ensure!(status.code() == Some(130), "after {signal:?}, the demo ended with {status}");
            ensure!(said.last().as_deref() == Some("stopped"), "after {signal:?}, the demo did not say that it was stopped");
        }
        wait_for(END, || UdpSocket::bind(receiver).ok())
            .with_context(|| format!("after {signal:?}, something still listens on {receiver}"))?;
    }
    Ok(())
}
