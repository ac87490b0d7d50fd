//! The plugin as a program of its own, where there is neither a sound card nor a display: it plays silence in real time, and records.

use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use send_learn_tests::process::Process;
use send_learn_tests::products::{self, Program};
use send_learn_tests::rig::{DELIVERY, Rig, said};

#[test]
#[cfg(unix)]
fn silence_is_recorded_in_real_time_under_the_name_that_was_given() -> Result<()> {
    let rig = Rig::new()?;
    let log = rig.file("standalone.log");
    let mut command = Command::new(products::program(Program::Standalone)?);
    command.args(["--name", "Upright", "--to", &rig.receiver().address().to_string()]);
    command.args(["--backend", "dummy", "--period-size", "256", "--sample-rate", "44100"]);
    command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").stdin(Stdio::null());
    rig.make_at_home(&mut command);
    let mut standalone = Process::start(command.stdout(Stdio::null()).stderr(fs::File::create(&log)?))?;
    thread::sleep(Duration::from_secs(3));
    let spoke = || fs::read_to_string(&log).unwrap_or_default();
    standalone.interrupt().with_context(spoke)?;
    standalone.wait(DELIVERY).with_context(spoke)?;
    let recording = rig.recording().with_context(spoke)?;
    let script = "import sys, h5py; file = h5py.File(sys.argv[1]); a = file.attrs; \
        print(a['name'], a['host'], a['plugin_format'], a['sample_rate'], a['max_block'], a['channels'], int(a['frames']) > 44100)";
    let output = Command::new(products::path("SEND_LEARN_PYTHON")?).args(["-c", script]).arg(&recording).output()?;
    let expected = "Upright send-learn-standalone standalone 44100.0 256 2 True";
    ensure!(said(&output).trim() == expected, "{}{}", said(&output), spoke());
    Ok(())
}
