//! What the kernels on the way say of a stream: live datagrams may be marked by a queue (ECN) and the marks are counted, not as
//! loss; what the receiver's own kernel drops is shown.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use send_learn_tests::audio::Audio;
use send_learn_tests::namespaces::{Machine, Network};
use send_learn_tests::process::{Process, wait_for};
use send_learn_tests::products::{self, Program};
use send_learn_tests::rig::{Rig, said};
use serde_json::Value;

const RATE: u32 = 48_000;

/// How long the stream may take to be where it is looked for.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn marks_of_the_network_are_counted_and_are_no_loss() -> Result<()> {
    let Some(network) = Network::new()? else { return Ok(()) };
    let rig = Rig::in_network(&network)?;
    // Counts what comes as ECT(0); then every UDP datagram is marked, as by a queue that is always too long.
    let ect = ["-t", "mangle", "-A", "PREROUTING", "-p", "udp", "-m", "ecn", "--ecn-ip-ect", "2"];
    let mark = ["-t", "mangle", "-A", "PREROUTING", "-p", "udp", "-j", "TOS", "--set-tos", "0x03/0x03"];
    for rule in [&ect[..], &mark] {
        if let Err(why) = network.filter(Machine::Workstation, rule) {
            println!("skipped: this machine's iptables cannot mark: {why}");
            return Ok(());
        }
    }
    let wav = rig.file("input.wav");
    Audio::all_kinds(RATE, 2, 8 * RATE as usize, 5).save(&wav)?;
    let mut sender = rig.sender(rig.receiver().address())?;
    sender.arg("--wav").arg(&wav);
    let mut sender = Process::start(network.on(Machine::Studio, &sender).stdout(Stdio::null()).stderr(Stdio::null()))?;

    let marked = wait_for(PATIENCE, || {
        let status = status(&rig, &network).ok()?;
        let stream = status["streams"].get(0)?;
        (stream["marked"].as_u64()? > 500).then(|| stream.clone())
    });
    let stream = marked.context("no stream came whose datagrams were marked")?;
    ensure!(stream["loss"] == 0.0, "a mark is no loss: {stream}");
    ensure!(sender.wait(PATIENCE)?.success(), "send-learn-send failed");
    let counted = network.filter(Machine::Workstation, &["-t", "mangle", "-L", "PREROUTING", "-v", "-x", "-n"])?;
    let capable = counted.lines().find(|line| line.contains("ECN match")).and_then(|line| line.split_whitespace().next());
    let capable: u64 = capable.context("no counter")?.parse()?;
    println!("{capable} packets came as ECT(0)");
    ensure!(capable > 100, "live datagrams do not say that they may be marked:\n{counted}");
    Ok(())
}

fn status(rig: &Rig, network: &Network) -> Result<Value> {
    let mut command = Command::new(products::program(Program::SendLearn)?);
    command.args(["status", "--json", "--data"]).arg(rig.receiver().data());
    let output = network.on(Machine::Workstation, &command).output()?;
    serde_json::from_slice(&output.stdout).with_context(|| said(&output))
}

#[test]
fn what_the_kernel_grants_and_drops_is_shown() -> Result<()> {
    let mut rig = Rig::new()?;
    let shown = |rig: &Rig| -> Result<Value> {
        let output = rig.tool(["status".as_ref(), "--json".as_ref(), "--data".as_ref(), rig.receiver().data().as_os_str()])?;
        serde_json::from_slice(&output.stdout).with_context(|| said(&output))
    };
    let socket = shown(&rig)?["socket"].clone();
    let granted = socket["receive_buffer"].as_u64().context("no buffer")?;
    ensure!(granted >= 64 << 10 && socket["kernel_drops"] == 0, "{socket}");

    // Who does not read loses: a receiver that is stopped while more comes than its buffer holds.
    let process = rustix::process::Pid::from_child(rig.receiver_mut().process().child());
    rustix::process::kill_process(process, rustix::process::Signal::STOP)?;
    let flood = std::net::UdpSocket::bind("127.0.0.1:0")?;
    for _ in 0..granted / 500 {
        flood.send_to(&[0; 1_200], rig.receiver().address())?;
    }
    rustix::process::kill_process(process, rustix::process::Signal::CONT)?;
    let dropped = wait_for(PATIENCE, || shown(&rig).ok()?["socket"]["kernel_drops"].as_u64().filter(|drops| *drops > 0));
    println!("{} KiB granted, {dropped:?} dropped", granted >> 10);
    ensure!(dropped.is_some_and(|drops| drops < granted / 500), "{dropped:?}");
    let words = said(&rig.tool(["status".as_ref(), "--data".as_ref(), rig.receiver().data().as_os_str()])?);
    ensure!(words.contains("the kernel has dropped"), "{words}");
    Ok(())
}
