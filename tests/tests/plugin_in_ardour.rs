//! The VST3 plugin on a track of Ardour, a whole DAW: what comes out of it and what is recorded equal Ardour's own recording bit for bit,
//! and the playhead says where.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use send_learn_tests::process::Process;
use send_learn_tests::products;
use send_learn_tests::python::script;
use send_learn_tests::rig::{DELIVERY, Rig, said};

#[test]
fn a_track_in_ardour_sounds_the_same_and_is_recorded_exactly() -> Result<()> {
    if env::var_os("SEND_LEARN_ARDOUR").is_none() {
        println!("skipped: `cargo xtask test --ardour` installs Ardour, and runs this");
        return Ok(());
    }
    let rig = Rig::new()?;
    let plugins = rig.file(".vst3");
    fs::create_dir(&plugins)?;
    let vst3 = products::path("SEND_LEARN_VST3")?;
    let plugin = plugins.join(vst3.file_name().context("a bundle has a name")?);
    copy(&vst3, &plugin)?;
    // Without a window Ardour does not scan: its scanner does.
    let scanner = Path::new("/usr/lib/ardour7/ardour-vst3-scanner");
    let scanned =
        at_home(&rig, Command::new(scanner).env("LD_LIBRARY_PATH", "/usr/lib/ardour7").arg("-f").arg(&plugin)).output()?;
    ensure!(scanned.status.success(), "Ardour's scanner refuses the plugin: {}", said(&scanned));

    let mut known = Vec::new();
    for block in ["64", "512", "2048"] {
        let session = rig.file(&format!("session-{block}"));
        let mut ardour = Command::new("ardour7-lua");
        at_home(&rig, &mut ardour).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("ardour/record.lua"));
        ardour.env("ARDOUR_SESSION", &session).env("ARDOUR_BLOCK", block);
        let mut ardour = Process::start(ardour.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        ardour.wait_for_line("played").with_context(|| format!("Ardour did not play blocks of {block}"))?;
        let status = ardour.wait(DELIVERY)?;
        ensure!(status.success(), "Ardour ended with {status}");

        let takes = rig.receiver().finished(known.len() + 1, DELIVERY)?;
        let recording = takes.into_iter().find(|take| !known.contains(take)).context("no recording")?;
        let own = |track: &str| session.join("interchange").join(format!("session-{block}/audiofiles/Take1_{track}-1.wav"));
        let mut compare = Command::new(products::path("SEND_LEARN_PYTHON")?);
        let compared = compare.arg(script("compare_ardour.py")).args([&recording, &own("Guitar"), &own("After")]).output()?;
        ensure!(compared.status.success(), "blocks of {block}: {}", said(&compared));
        println!("blocks of {block}: {}", String::from_utf8_lossy(&compared.stdout).trim());
        known.push(recording);
    }
    Ok(())
}

/// Everything that Ardour and the plugin keep for themselves lies in the test's folder.
fn at_home<'a>(rig: &Rig, command: &'a mut Command) -> &'a mut Command {
    rig.make_at_home(command);
    command.env("HOME", rig.folder()).env("SEND_LEARN_SERVER", rig.receiver().address().to_string())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-r").args([from, to]).status()?;
    ensure!(status.success(), "cannot copy {}", from.display());
    Ok(())
}
