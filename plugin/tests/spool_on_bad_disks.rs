//! The spool on disks that fail, real ones: a file system that is full, and one that hangs. Audio and the live path go on; what was
//! lost for want of room is counted, and the receiver is told of it by name.
//!
//! The file systems are mounted in a mount namespace in which the test runs once more; with the test they are gone. Needs root.

#![cfg(target_os = "linux")]

#[path = "common/music.rs"]
mod music;
#[path = "common/workstation.rs"]
mod workstation;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use music::{begin, expected, play};
use send_learn_plugin::capture::Capture;
use send_learn_plugin::report::LinkState;
use send_learn_plugin::spool::SpoolConfig;
use send_learn_plugin::uplink::{StreamHandle, Uplink, UplinkConfig};
use send_learn_protocol::packet::close::GoneReason;
use send_learn_protocol::record::{Record, records};
use send_learn_protocol::sender::SendMode;
use workstation::{Taken, Workstation, same_bits, wait_until};

const MIB: usize = 1 << 20;

/// Set where the test runs in a namespace of its own.
const INSIDE: &str = "SEND_LEARN_TEST_MAY_MOUNT";

/// How long a disk hangs at most, whatever becomes of the test.
const LONGEST: Duration = Duration::from_secs(20);

/// Runs the test of this name once more, where it may mount; false in there, and where it is skipped.
fn runs_inside(name: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--propagation", "private"]).arg(std::env::current_exe().unwrap());
    inside.args(["--exact", name, "--nocapture", "--test-threads", "1"]).env(INSIDE, "1");
    match inside.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            print!("{said}{}", String::from_utf8_lossy(&output.stderr));
            let refused = !said.contains("running 1 test");
            if refused {
                println!("skipped: this system does not let the test mount a file system of its own (unshare --mount)");
            }
            assert!(refused || output.status.success(), "see above");
        }
        Err(error) => println!("skipped: there is no unshare: {error}"),
    }
    true
}

/// Runs a tool of the system; false, with the reason printed, when it fails.
fn done(script: &str) -> bool {
    let output = Command::new("sh").args(["-e", "-c", script]).stdin(Stdio::null()).output().unwrap();
    if !output.status.success() {
        println!("skipped: `{script}`: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    output.status.success()
}

fn start(folder: &Path) -> Arc<Uplink> {
    let spool = SpoolConfig { folder: folder.join("spool"), limit: 64 * MIB as u64 };
    Uplink::start(UplinkConfig { memory: 2 * MIB, spool: Some(spool) }).unwrap()
}

/// About 4 MB/s, in real time's own steps.
fn play_paced(audio: &mut Capture, blocks: u32) {
    for _ in 0..blocks / 4 {
        play(audio, 4);
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Plays while the network is there: the newest entries come at once, whatever the disk does.
fn live_goes_on(audio: &mut Capture, workstation: &Workstation) {
    let (begun, mut before) = (Instant::now(), 0);
    for _ in 0..20 {
        play_paced(audio, 40);
        let newest = workstation.newest.load(Ordering::Relaxed);
        wait_until("live", || workstation.newest.load(Ordering::Relaxed) > before);
        before = newest;
    }
    let took = begun.elapsed();
    println!("800 blocks beside the disk in {took:?}");
    assert!(took < Duration::from_secs(3), "the disk held up audio or the live path: {took:?}");
}

/// Ends the take. What came is as it was played, and what did not is what the sender counted, and was told with its reason.
fn ends_with_named_gaps(audio: Capture, stream: StreamHandle, uplink: Arc<Uplink>, workstation: Workstation) -> Taken {
    let frames = audio.position().0;
    audio.finish(send_learn_protocol::record::EndReason::Stopped);
    wait_until("durable", || stream.report().link == LinkState::Finished);
    let report = stream.report();
    drop((stream, uplink));
    assert_eq!(report.dropped, 0, "the audio thread found no room");
    let taken = workstation.finish().into_values().next().unwrap();
    let original = expected(frames);
    let mut heard = 0;
    for entry in taken.entries.values() {
        for record in records(entry) {
            if let Record::Audio(fragment) = record.unwrap() {
                let mut samples = Vec::new();
                fragment.decode(&mut samples).unwrap();
                let first = fragment.position.0 as usize * 2;
                assert!(same_bits(&samples, &original[first..first + samples.len()]));
                heard += samples.len();
            }
        }
    }
    let gone: u64 = taken.gone.iter().map(|gone| gone.range.count).sum();
    let last = taken.entries.keys().next_back().unwrap().0;
    println!("{} entries came, {gone} are gone in {} runs; {heard} samples", taken.entries.len(), taken.gone.len());
    assert_eq!(taken.entries.len() as u64 + gone, last + 1, "every entry came or is named");
    assert!(taken.gone.iter().all(|gone| gone.reason == GoneReason::RetentionFull));
    assert!(gone > 0 && gone <= report.lost_entries, "{gone} are gone, {} were counted", report.lost_entries);
    taken
}

#[test]
fn on_a_full_disk_audio_and_live_go_on_and_what_is_lost_is_named() {
    if runs_inside("on_a_full_disk_audio_and_live_go_on_and_what_is_lost_is_named") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    if !done(&format!("mount -t tmpfs -o size=5m none {}", folder.path().display())) {
        return;
    }
    let workstation = Workstation::start(0);
    let uplink = start(folder.path());
    let stream = uplink.open(&workstation.address.to_string());
    let (mut audio, _) = begin(&stream, SendMode::Live);
    play_paced(&mut audio, 40);
    workstation.deaf.store(true, Ordering::Relaxed);
    // 12 MiB; memory and disk together hold 7.
    play_paced(&mut audio, 6_000);
    wait_until("full", || stream.report().lost_entries > 0);
    let problem = stream.report().disk_problem;
    assert!(problem.contains("No space left on device"), "{problem}");
    workstation.deaf.store(false, Ordering::Relaxed);
    live_goes_on(&mut audio, &workstation);
    let taken = ends_with_named_gaps(audio, stream, uplink, workstation);
    // What did fit is there: no less than half of the disk.
    let kept: usize = taken.entries.values().map(|entry| entry.len()).sum();
    assert!(kept > 5 * MIB, "{kept} bytes");
}

/// A disk that hangs until this is gone, or [`LONGEST`] is over.
struct Hanging<'a> {
    disk: &'a Path,
    watch: Child,
}

impl<'a> Hanging<'a> {
    /// `None`, with the reason printed, where the system cannot.
    fn new(disk: &'a Path) -> Option<Self> {
        let shown = disk.display();
        let thaw = format!("sleep {}; fsfreeze --unfreeze {shown}", LONGEST.as_secs());
        let watch = Command::new("sh").args(["-c", &thaw]).stdin(Stdio::null()).stdout(Stdio::null()).spawn().ok()?;
        let hanging = Self { disk, watch };
        done(&format!("fsfreeze --freeze {shown}")).then_some(hanging)
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze").arg("--unfreeze").arg(self.disk).status();
        let _ = self.watch.kill();
        let _ = self.watch.wait();
    }
}

#[test]
fn beside_a_disk_that_hangs_audio_and_live_go_on_and_what_is_lost_is_named() {
    if runs_inside("beside_a_disk_that_hangs_audio_and_live_go_on_and_what_is_lost_is_named") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (image, disk) = (folder.path().join("image"), folder.path().join("disk"));
    std::fs::create_dir(&disk).unwrap();
    let (made, shown) = (image.display(), disk.display());
    if !done(&format!("truncate -s 64M {made}; mkfs.ext4 -q {made}; mount -o loop {made} {shown}")) {
        return;
    }
    let workstation = Workstation::start(0);
    let uplink = start(&disk);
    let stream = uplink.open(&workstation.address.to_string());
    let (mut audio, _) = begin(&stream, SendMode::Live);
    play_paced(&mut audio, 40);
    workstation.deaf.store(true, Ordering::Relaxed);
    play_paced(&mut audio, 2_000);
    wait_until("on disk", || stream.report().spooled > 500);
    let Some(hanging) = Hanging::new(&disk) else { return };
    // 6 MiB more: memory holds 2.
    play_paced(&mut audio, 3_000);
    wait_until("full", || stream.report().lost_entries > 0);
    workstation.deaf.store(false, Ordering::Relaxed);
    live_goes_on(&mut audio, &workstation);
    drop(hanging);
    ends_with_named_gaps(audio, stream, uplink, workstation);
}
