//! What is owed outlives memory, the uplink and the process: real files, real sockets, real kill -9.

#[path = "common/music.rs"]
mod music;
#[path = "common/workstation.rs"]
mod workstation;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use music::{BLOCK, begin, expected, play};
use send_learn_plugin::capture::Capture;
use send_learn_plugin::report::LinkState;
use send_learn_plugin::spool::SpoolConfig;
use send_learn_plugin::uplink::{Uplink, UplinkConfig};
use send_learn_protocol::packet::close::GoneReason;
use send_learn_protocol::packet::hello::PropertyKey;
use send_learn_protocol::record::EndReason;
use send_learn_protocol::sender::SendMode;
use send_learn_protocol::units::TakeId;
use workstation::{Taken, Workstation, decode, same_bits, wait_until};

const MIB: usize = 1 << 20;

fn uplink(folder: &Path, limit: usize) -> Arc<Uplink> {
    let spool = SpoolConfig { folder: folder.to_owned(), limit: limit as u64 };
    Uplink::start(UplinkConfig { memory: 2 * MIB, spool: Some(spool) }).unwrap()
}

/// About 8 MB/s: fast, but not faster than any disk.
fn play_paced(audio: &mut Capture, blocks: u32) {
    for _ in 0..blocks / 4 {
        play(audio, 4);
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let items = fs::read_dir(folder).into_iter().flatten().flatten().map(|item| item.path());
    let mut found: Vec<PathBuf> = items.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    found.sort();
    found
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    files(folder).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "sls")).collect()
}

fn bytes(folder: &Path) -> u64 {
    files(folder).iter().map(|path| path.metadata().map_or(0, |data| data.len())).sum()
}

fn wait_for_rest(uplink: &Arc<Uplink>) {
    wait_until("rid of the rest", || {
        std::thread::sleep(Duration::from_millis(20));
        let rest = uplink.rest();
        rest.known && rest.takes == 0
    });
}

fn assert_whole(taken: &Taken, blocks: u64, reason: EndReason) {
    let decoded = decode(taken);
    assert!(taken.gone.is_empty() && decoded.gaps.is_empty(), "{:?}", taken.gone);
    assert!(same_bits(&decoded.samples, &expected(blocks * u64::from(BLOCK))));
    assert_eq!(decoded.midi.len() as u64, blocks);
    let end = decoded.end.unwrap();
    assert_eq!((end.position.0, end.reason), (blocks * u64::from(BLOCK), reason));
    assert!(taken.closed);
}

/// Plays so many blocks while nobody listens, and ends as a DAW does. What is owed is in `folder` then.
fn leave_behind(folder: &Path, workstation: &Workstation, blocks: u32) -> TakeId {
    workstation.deaf.store(true, Ordering::Relaxed);
    let uplink = uplink(folder, 64 * MIB);
    let stream = uplink.open(&workstation.address.to_string());
    let (mut audio, take) = begin(&stream, SendMode::Live);
    play_paced(&mut audio, blocks);
    audio.finish(EndReason::Deactivated);
    let closed = Instant::now();
    drop((stream, uplink));
    assert!(closed.elapsed() < Duration::from_millis(1_500), "a host that closes waited for {:?}", closed.elapsed());
    workstation.deaf.store(false, Ordering::Relaxed);
    take
}

#[test]
fn an_outage_longer_than_memory_lasts_is_recorded_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let workstation = Workstation::start(0);
    let uplink = uplink(folder.path(), 64 * MIB);
    let stream = uplink.open(&workstation.address.to_string());
    let (mut audio, take) = begin(&stream, SendMode::Live);
    play_paced(&mut audio, 40);
    workstation.deaf.store(true, Ordering::Relaxed);
    // 12 MiB, six times what memory holds.
    play_paced(&mut audio, 6_000);
    wait_until("on disk", || stream.report().spooled > 5_000);
    assert!(segments(folder.path()).len() > 3);
    workstation.deaf.store(false, Ordering::Relaxed);
    play_paced(&mut audio, 400);
    audio.finish(EndReason::Stopped);
    wait_until("durable", || stream.report().link == LinkState::Finished);
    let report = stream.report();
    assert_eq!((report.owed, report.lost_entries, report.dropped, report.spooled), (0, 0, 0, 0));
    drop((stream, uplink));
    assert_whole(&workstation.finish()[&take], 6_440, EndReason::Stopped);
    assert!(files(folder.path()).is_empty(), "{:?}", files(folder.path()));
}

#[test]
fn in_good_times_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let workstation = Workstation::start(17);
    let uplink = uplink(folder.path(), 64 * MIB);
    let stream = uplink.open(&workstation.address.to_string());
    let (mut audio, _) = begin(&stream, SendMode::Live);
    for _ in 0..100 {
        play(&mut audio, 2);
        std::thread::sleep(Duration::from_millis(10));
        assert!(files(folder.path()).is_empty());
    }
    audio.finish(EndReason::Stopped);
    wait_until("durable", || stream.report().link == LinkState::Finished);
    drop((stream, uplink));
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn what_is_owed_when_the_host_closes_is_sent_by_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let workstation = Workstation::start(11);
    let take = leave_behind(folder.path(), &workstation, 1_600);
    assert!(bytes(folder.path()) > 2 << 20);
    let uplink = uplink(folder.path(), 64 * MIB);
    wait_for_rest(&uplink);
    drop(uplink);
    let takes = workstation.finish();
    assert_whole(&takes[&take], 1_600, EndReason::Deactivated);
    assert_eq!(takes[&take].description.as_ref().unwrap().property(PropertyKey::NAME), "Lead");
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing is left behind");
}

#[test]
fn what_is_left_goes_where_its_stream_goes_now() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Workstation::start(0), Workstation::start(0));
    let take = leave_behind(folder.path(), &old, 200);
    let uplink = uplink(folder.path(), 64 * MIB);
    let stream = uplink.open(&new.address.to_string());
    stream.take_rest();
    wait_for_rest(&uplink);
    drop((stream, uplink));
    assert!(old.finish().is_empty());
    assert_whole(&new.finish()[&take], 200, EndReason::Deactivated);
}

#[test]
fn a_live_stream_goes_on_beside_what_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let workstation = Workstation::start(0);
    let left = leave_behind(folder.path(), &workstation, 3_000);
    let uplink = uplink(folder.path(), 64 * MIB);
    let stream = uplink.open(&workstation.address.to_string());
    let (mut audio, take) = begin(&stream, SendMode::Live);
    for _ in 0..300 {
        play(&mut audio, 1);
        std::thread::sleep(Duration::from_millis(5));
        assert!(stream.report().lag < Duration::from_secs(1), "{:?}", stream.report());
    }
    audio.finish(EndReason::Stopped);
    wait_until("durable", || stream.report().link == LinkState::Finished);
    wait_for_rest(&uplink);
    drop((stream, uplink));
    let takes = workstation.finish();
    assert_whole(&takes[&left], 3_000, EndReason::Deactivated);
    assert_whole(&takes[&take], 300, EndReason::Stopped);
}

#[test]
fn at_the_limit_the_oldest_go_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let workstation = Workstation::start(0);
    workstation.deaf.store(true, Ordering::Relaxed);
    let limit = 8 * MIB;
    let uplink = uplink(folder.path(), limit);
    let stream = uplink.open(&workstation.address.to_string());
    let (mut audio, take) = begin(&stream, SendMode::Live);
    for _ in 0..60 {
        play_paced(&mut audio, 160);
        assert!(bytes(folder.path()) <= limit as u64 + 300_000, "{}", bytes(folder.path()));
    }
    wait_until("full", || stream.report().lost_entries > 0);
    workstation.deaf.store(false, Ordering::Relaxed);
    audio.finish(EndReason::Stopped);
    wait_until("durable", || stream.report().link == LinkState::Finished);
    let lost = stream.report().lost_entries;
    drop((stream, uplink));
    let takes = workstation.finish();
    let taken = &takes[&take];
    assert!(taken.gone.iter().all(|gone| gone.reason == GoneReason::RetentionFull));
    let first = *taken.entries.keys().next().unwrap();
    assert_eq!(
        (first.0, taken.entries.len() as u64),
        (lost, taken.entries.keys().last().unwrap().0 + 1 - lost),
        "the oldest, no others"
    );
    let decoded = decode(taken);
    let frames = 9_600 * u64::from(BLOCK);
    // The first block may have lost its begin.
    let kept = decoded.blocks[1].position.0 as usize * 2;
    assert!(same_bits(&decoded.samples[kept..], &expected(frames)[kept..]));
    // Whole segments go, before the next is begun: up to two of them are less than the limit; headers take a little of the rest.
    let least = 4 * MIB / size_of::<f32>() * 9 / 10;
    assert!(decoded.samples.len() - kept > least, "what the limit allows was kept: {}", decoded.samples.len() - kept);
    assert_eq!(decoded.end.unwrap().position.0, frames);
    assert!(files(folder.path()).is_empty());
}

#[test]
fn what_is_damaged_is_named_and_the_rest_arrives() {
    let folder = tempfile::tempdir().unwrap();
    let workstation = Workstation::start(0);
    let take = leave_behind(folder.path(), &workstation, 4_000);
    let parts = segments(folder.path());
    assert!(parts.len() >= 3, "{parts:?}");
    // A stretch in the middle of the second, and the last one torn.
    let mut damaged = fs::read(&parts[1]).unwrap();
    damaged[700_000..730_000].iter_mut().for_each(|byte| *byte ^= 0x55);
    fs::write(&parts[1], &damaged).unwrap();
    let last = fs::read(&parts[parts.len() - 1]).unwrap();
    fs::write(&parts[parts.len() - 1], &last[..last.len() - 1_000]).unwrap();
    let uplink = uplink(folder.path(), 64 * MIB);
    wait_for_rest(&uplink);
    drop(uplink);
    let takes = workstation.finish();
    let taken = &takes[&take];
    let [gone] = taken.gone.as_slice() else { panic!("{:?}", taken.gone) };
    assert_eq!(gone.reason, GoneReason::SenderRestarted);
    assert!((20..60).contains(&gone.range.count), "30,000 bytes of entries: {gone:?}");
    let numbers: Vec<u64> = taken.entries.keys().map(|number| number.0).collect();
    let whole = (0..*numbers.last().unwrap() + 1).filter(|number| !(gone.range.first.0..gone.range.end().0).contains(number));
    assert_eq!(numbers, whole.collect::<Vec<_>>());
    let decoded = decode(taken);
    let original = expected(4_000 * u64::from(BLOCK));
    let wrong = decoded.samples.iter().zip(&original).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    assert!(wrong <= 40 * 1_142 / 3, "{wrong} samples");
    let end = decoded.end.unwrap();
    assert_eq!(end.reason, EndReason::Interrupted);
    assert!(end.position.0 >= 3_990 * u64::from(BLOCK) && end.position.0 <= 4_000 * u64::from(BLOCK));
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none());
}

#[test]
fn where_nothing_can_be_written_memory_goes_on_and_a_person_is_told() {
    let folder = tempfile::tempdir().unwrap();
    // A file where the folder should be.
    let blocked = folder.path().join("blocked");
    fs::write(&blocked, b"").unwrap();
    let workstation = Workstation::start(0);
    workstation.deaf.store(true, Ordering::Relaxed);
    let uplink = uplink(&blocked.join("spool"), 64 * MIB);
    let stream = uplink.open(&workstation.address.to_string());
    let (mut audio, take) = begin(&stream, SendMode::Live);
    play_paced(&mut audio, 3_000);
    wait_until("said", || !stream.report().disk_problem.is_empty());
    assert!(stream.report().disk_problem.contains("blocked"), "{}", stream.report().disk_problem);
    wait_until("full", || stream.report().lost_entries > 0);
    workstation.deaf.store(false, Ordering::Relaxed);
    audio.finish(EndReason::Stopped);
    wait_until("durable", || stream.report().link == LinkState::Finished);
    drop((stream, uplink));
    let takes = workstation.finish();
    let decoded = decode(&takes[&take]);
    let frames = 3_000 * u64::from(BLOCK);
    // The first block may have lost its begin.
    let kept = decoded.blocks[1].position.0 as usize * 2;
    assert!(kept > 0 && decoded.samples.len() - kept > MIB / 4, "what memory holds was kept");
    assert!(same_bits(&decoded.samples[kept..], &expected(frames)[kept..]));
    assert!(takes[&take].gone.iter().all(|gone| gone.reason == GoneReason::RetentionFull));
}

#[test]
fn a_disk_that_comes_back_is_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("spool");
    fs::write(&place, b"").unwrap();
    let workstation = Workstation::start(0);
    workstation.deaf.store(true, Ordering::Relaxed);
    let uplink = uplink(&place, 64 * MIB);
    let stream = uplink.open(&workstation.address.to_string());
    let (mut audio, take) = begin(&stream, SendMode::Live);
    play_paced(&mut audio, 600);
    wait_until("said", || !stream.report().disk_problem.is_empty());
    fs::remove_file(&place).unwrap();
    wait_until("well again", || stream.report().disk_problem.is_empty());
    play_paced(&mut audio, 2_000);
    workstation.deaf.store(false, Ordering::Relaxed);
    audio.finish(EndReason::Stopped);
    wait_until("durable", || stream.report().link == LinkState::Finished);
    drop((stream, uplink));
    assert_whole(&workstation.finish()[&take], 2_600, EndReason::Stopped);
}

/// `send-learn-send` with a spool in `folder`.
fn sender(folder: &Path, wav: &Path, to: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_send-learn-send"));
    command.args(["--to", to, "--timeout", "0", "--wav"]).arg(wav);
    command.env("XDG_CACHE_HOME", folder).env("XDG_CONFIG_HOME", folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_in_the_middle_costs_nothing_that_memory_holds() {
    let folder = tempfile::tempdir().unwrap();
    let wav = music(folder.path());
    let workstation = Workstation::start(0);
    workstation.deaf.store(true, Ordering::Relaxed);
    // Files of more than 50 or 100 KiB (shells differ) cannot be written: the system cuts the write that reaches that.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_send-learn-send")]);
    command.args(["--to", &workstation.address.to_string(), "--timeout", "0", "--fast", "--wav"]).arg(&wav);
    command.env("XDG_CACHE_HOME", folder.path()).env("XDG_CONFIG_HOME", folder.path());
    let log = fs::File::create(folder.path().join("log")).unwrap();
    let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let said = || fs::read_to_string(folder.path().join("log")).unwrap();
    wait_until("told", || said().contains("cannot keep anything in"));
    workstation.deaf.store(false, Ordering::Relaxed);
    wait_until("done", || process.try_wait().unwrap().is_some_and(|status| status.success()));
    assert_eq!(said().matches("cannot keep anything in").count(), 1, "{}", said());
    let takes = workstation.finish();
    let taken = takes.values().next().unwrap();
    assert!(taken.gone.is_empty() && same_bits(&decode(taken).samples, &expected(60 * 48_000)));
    assert!(!folder.path().join("send-learn-spool").exists() || files(&folder.path().join("send-learn-spool")).is_empty());
}

/// 60 s of the same music as [`play`] gives, as a file.
fn music(folder: &Path) -> PathBuf {
    let path = folder.join("music.wav");
    let spec = hound::WavSpec { channels: 2, sample_rate: 48_000, bits_per_sample: 32, sample_format: hound::SampleFormat::Float };
    let mut wav = hound::WavWriter::create(&path, spec).unwrap();
    expected(60 * 48_000).into_iter().for_each(|sample| wav.write_sample(sample).unwrap());
    wav.finalize().unwrap();
    path
}

#[test]
fn what_a_killed_program_kept_arrives_bit_for_bit_whenever_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let wav = music(folder.path());
    let spool = folder.path().join("send-learn-spool");
    for (round, played) in [2_300, 3_110, 4_470].into_iter().enumerate() {
        let workstation = Workstation::start(0);
        let mut process = sender(folder.path(), &wav, &workstation.address.to_string());
        std::thread::sleep(Duration::from_millis(700));
        workstation.deaf.store(true, Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(played));
        process.kill().unwrap();
        process.wait().unwrap();
        assert!(!segments(&spool).is_empty(), "round {round}");
        workstation.deaf.store(false, Ordering::Relaxed);
        let uplink = uplink(&spool, 64 * MIB);
        wait_for_rest(&uplink);
        drop(uplink);
        let takes = workstation.finish();
        let [taken] = takes.values().collect::<Vec<_>>()[..] else { panic!("{} takes", takes.len()) };
        let decoded = decode(taken);
        assert!(taken.gone.is_empty() && decoded.gaps.is_empty(), "{:?}", taken.gone);
        let frames = decoded.samples.len() / 2;
        // It had played for so long, and was 100 ms ahead of the disk at most, and of the system's own delays.
        assert!(frames as u64 > (700 + played - 700) * 48, "round {round}: {frames} frames in {played} ms of outage");
        assert!(same_bits(&decoded.samples, &expected(60 * 48_000)[..frames * 2]), "round {round}");
        let end = decoded.end.unwrap();
        assert_eq!((end.position.0, end.reason), (frames as u64, EndReason::Interrupted));
        assert!(fs::read_dir(&spool).unwrap().next().is_none(), "round {round}: nothing is left behind");
    }
}

#[test]
fn a_program_that_lives_keeps_its_takes_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    let wav = music(folder.path());
    let spool = folder.path().join("send-learn-spool");
    let workstation = Workstation::start(0);
    workstation.deaf.store(true, Ordering::Relaxed);
    let to = workstation.address.to_string();
    let mut processes = [sender(folder.path(), &wav, &to), sender(folder.path(), &wav, &to)];
    wait_until("on disk", || segments(&spool).len() >= 2);
    let uplink = uplink(&spool, 64 * MIB);
    wait_until("looked", || uplink.rest().known);
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(uplink.rest().takes, 0, "both programs live");
    processes[0].kill().unwrap();
    processes[0].wait().unwrap();
    // The other program may take it over as well as this one: it is an uplink too.
    std::thread::sleep(Duration::from_secs(6));
    assert!(uplink.rest().takes <= 1, "one program lives");
    processes[1].kill().unwrap();
    processes[1].wait().unwrap();
    wait_until("adopted", || uplink.rest().takes == 2);
    workstation.deaf.store(false, Ordering::Relaxed);
    wait_for_rest(&uplink);
    drop(uplink);
    let takes = workstation.finish();
    assert_eq!(takes.len(), 2);
    for taken in takes.values() {
        let decoded = decode(taken);
        assert!(taken.gone.is_empty() && same_bits(&decoded.samples, &expected(60 * 48_000)[..decoded.samples.len()]));
        assert_eq!(decoded.end.unwrap().reason, EndReason::Interrupted);
    }
    assert!(fs::read_dir(&spool).unwrap().next().is_none());
}
