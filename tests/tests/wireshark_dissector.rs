//! spec/wireshark/send-learn.lua in a real tshark: every datagram of a session between real processes is understood, and so is every
//! golden vector.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use send_learn_protocol::packet::{Kind, header};
use send_learn_tests::audio::Audio;
use send_learn_tests::pcap;
use send_learn_tests::relay::{Badness, Relay};
use send_learn_tests::rig::{Rig, said};
use send_learn_tests::tunes::cut_piece;

const SECONDS: usize = 5;

/// What the dissector says of one datagram.
struct Dissected {
    kind: u8,
    checksum: String,
    malformed: String,
    source: Option<u64>,
    records: Vec<u8>,
    durable: Option<u64>,
    end: Option<u64>,
}

/// tshark's fields of all datagrams in a file; `None`, with the reason printed, where there is no tshark with Lua.
fn dissect(capture: &Path) -> Result<Option<Vec<Dissected>>> {
    let home = tempfile::tempdir()?;
    let tshark = || {
        let mut tshark = Command::new("tshark");
        // No settings of the person who runs this.
        tshark.env("HOME", home.path()).env("XDG_CONFIG_HOME", home.path()).stdin(Stdio::null());
        tshark
    };
    let version = tshark().arg("--version").output().map(|output| said(&output).replace('\n', " ")).unwrap_or_default();
    if !version.contains("with Lua") {
        println!("skipped: tshark with Lua is not there (`cargo xtask setup` installs it on Debian and Ubuntu)");
        return Ok(None);
    }
    let script = repository().join("spec/wireshark/send-learn.lua");
    let mut tshark = tshark();
    tshark.arg("-n").arg("-X").arg(format!("lua_script:{}", script.display())).arg("-r").arg(capture);
    tshark.args(["-T", "fields", "-E", "separator=/t", "-E", "aggregator=,"]);
    let fields = [
        "sendlearn.kind",
        "sendlearn.checksum.status",
        "_ws.expert",
        "_ws.lua.error",
        "sendlearn.source_number",
        "sendlearn.record.kind",
        "sendlearn.feedback.durable",
        "sendlearn.close.end",
    ];
    tshark.args(fields.into_iter().flat_map(|field| ["-e", field]));
    let output = tshark.output()?;
    ensure!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        ensure!(cells.len() == fields.len(), "{line:?}");
        let number = |cell: &str| cell.parse::<u64>().ok();
        Ok(Dissected {
            kind: cells[0].parse().with_context(|| format!("not one of ours: {line:?}"))?,
            checksum: cells[1].to_owned(),
            malformed: format!("{}{}", cells[2], cells[3]),
            source: number(cells[4]),
            records: cells[5].split(',').filter_map(|kind| kind.parse().ok()).collect(),
            durable: number(cells[6]),
            end: number(cells[7]),
        })
    };
    text.lines().map(line).collect::<Result<_>>().map(Some)
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_datagram_of_a_session_is_understood() -> Result<()> {
    let rig = Rig::new()?;
    let relay = Relay::watch_bad(rig.receiver().address(), Badness::TYPICAL, 5)?;
    let (wav, midi) = (rig.file("input.wav"), cut_piece(&rig.file("input.mid"), SECONDS as u32)?);
    Audio::all_kinds(48_000, 2, 48_000 * SECONDS, 3).save(&wav)?;
    let sent = rig.sender(relay.address())?.arg("--wav").arg(&wav).arg("--midi").arg(&midi).output()?;
    ensure!(sent.status.success(), "{}", said(&sent));
    rig.recording()?;
    let seen = relay.seen();
    let capture = rig.file("session.pcap");
    pcap::write(&capture, seen.iter().map(|seen| (seen.at, seen.there, &seen.datagram[..])))?;
    let Some(dissected) = dissect(&capture)? else { return Ok(()) };

    ensure!(dissected.len() == seen.len(), "{} of {} datagrams", dissected.len(), seen.len());
    let mut kinds = BTreeMap::<u8, usize>::new();
    for (seen, dissected) in seen.iter().zip(&dissected) {
        let (head, _) = header::read(&seen.datagram)?;
        ensure!(dissected.kind == head.kind as u8, "{:?} is shown as {}", head.kind, dissected.kind);
        ensure!(dissected.checksum == "1", "a wrong checksum is seen where there is none");
        ensure!(dissected.malformed.is_empty(), "{:?}: {}", head.kind, dissected.malformed);
        *kinds.entry(dissected.kind).or_default() += 1;
    }
    println!("{} datagrams, by kind: {kinds:?}", seen.len());
    let met = [Kind::Hello, Kind::Retry, Kind::HelloAck, Kind::Source, Kind::Parity, Kind::Feedback, Kind::Probe, Kind::ProbeReply];
    for kind in met.into_iter().chain([Kind::Close, Kind::CloseAck]) {
        ensure!(kinds.contains_key(&(kind as u8)), "no {kind:?} among them");
    }

    // The sender's own figures, from the last line that it says.
    let said = said(&sent);
    let figure = |unit: &str| -> Result<f64> {
        let before = said.split(unit).next().and_then(|text| text.rsplit(' ').next());
        before.and_then(|number| number.parse().ok()).with_context(|| format!("no figure of{unit} in {said}"))
    };
    let bytes: usize = seen.iter().filter(|seen| seen.there).map(|seen| seen.datagram.len()).sum();
    ensure!((bytes as f64 / 1e6 - figure(" MB sent")?).abs() < 0.051, "{bytes} bytes are not what was sent: {said}");
    // Each entry once, however often it was sent.
    let entries: BTreeMap<u64, &Dissected> = dissected.iter().filter_map(|datagram| Some((datagram.source?, datagram))).collect();
    let midi = entries.values().flat_map(|entry| &entry.records).filter(|kind| **kind == 3).count();
    ensure!(midi as f64 == figure(" MIDI events")?, "{midi} MIDI records: {said}");
    let ends = entries.values().filter(|entry| entry.records.contains(&11)).count();
    let end = dissected.iter().find_map(|datagram| datagram.end).context("no end in a close")?;
    let durable = dissected.iter().filter_map(|datagram| datagram.durable).max();
    ensure!(ends == 1 && entries.len() as u64 == end && durable == Some(end), "{ends} ends, {} entries, {end}", entries.len());
    Ok(())
}

#[test]
fn every_golden_vector_is_understood_and_a_damaged_one_is_shown_as_such() -> Result<()> {
    let mut vectors = Vec::new();
    for file in fs::read_dir(repository().join("spec/vectors"))? {
        let path = file?.path();
        let digits = fs::read_to_string(&path)?;
        let bytes: Result<Vec<u8>, _> = digits.split_whitespace().map(|digits| u8::from_str_radix(digits, 16)).collect();
        // The tap's are no datagrams.
        vectors.extend(Some(bytes?).filter(|bytes| bytes.starts_with(&header::MAGIC)));
    }
    ensure!(vectors.len() > 20, "{} vectors", vectors.len());
    let folder = tempfile::tempdir()?;
    let capture = folder.path().join("vectors.pcap");
    let damaged: Vec<Vec<u8>> = vectors
        .iter()
        .map(|vector| {
            let mut damaged = vector.clone();
            damaged[20] ^= 0x10;
            damaged
        })
        .collect();
    let all = vectors.iter().chain(&damaged);
    pcap::write(&capture, all.map(|vector| (Duration::ZERO, true, &vector[..])))?;
    let Some(dissected) = dissect(&capture)? else { return Ok(()) };
    ensure!(dissected.len() == 2 * vectors.len(), "{} of {}", dissected.len(), 2 * vectors.len());
    for (index, (vector, dissected)) in vectors.iter().cycle().zip(&dissected).enumerate() {
        let (head, _) = header::read(vector)?;
        let good = index < vectors.len();
        ensure!(dissected.kind == head.kind as u8, "{:?} is shown as {}", head.kind, dissected.kind);
        ensure!((dissected.checksum == "1") == good, "{:?}: checksum {}", head.kind, dissected.checksum);
        ensure!(dissected.malformed.is_empty() == good, "{:?}: {}", head.kind, dissected.malformed);
    }
    Ok(())
}
