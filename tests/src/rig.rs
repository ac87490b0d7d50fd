//! What every test of the whole system needs: a folder of its own, a receiver, and commands for the senders.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::namespaces::{Machine, Network};
use crate::process::{Process, Receiver};
use crate::products::{self, Program};
use crate::python::{self, Played};

/// How long a recording may take to be finished after all was played.
pub const DELIVERY: Duration = Duration::from_secs(90);

/// A folder and a receiver.
#[derive(Debug)]
pub struct Rig {
    receiver: Receiver,
    // Removed after the receiver has ended.
    folder: TempDir,
}

impl Rig {
    /// A receiver on a free port, with an empty data folder.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let receiver = Receiver::start(&products::program(Program::SendLearn)?, folder.path())?;
        Ok(Self { receiver, folder })
    }

    /// A receiver on the workstation of a network, which whoever is in that network may send to.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn in_network(network: &Network) -> Result<Self> {
        let folder = tempfile::tempdir().context("no temporary folder")?;
        let program = network.on(Machine::Workstation, &Command::new(products::program(Program::SendLearn)?));
        let listen = (Machine::Workstation.address(), 8_080).into();
        let receiver = Receiver::start_by(program, folder.path(), listen, &["--open"])?;
        Ok(Self { receiver, folder })
    }

    /// The receiver.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// The receiver, to be changed.
    pub fn receiver_mut(&mut self) -> &mut Receiver {
        &mut self.receiver
    }

    /// The folder of the test.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The receiver ends as by kill -9.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill_receiver(&mut self) -> Result<()> {
        self.receiver.process().kill()
    }

    /// The receiver stands still, or goes on.
    ///
    /// # Errors
    /// When it cannot be stopped.
    #[cfg(unix)]
    pub fn freeze_receiver(&mut self, frozen: bool) -> Result<()> {
        self.receiver.process().freeze(frozen)
    }

    /// The receiver ends as by kill -9 and is started again, at the same address, on the same folder.
    ///
    /// # Errors
    /// When it does not come up again.
    pub fn kill_and_restart(&mut self) -> Result<()> {
        self.kill_receiver()?;
        self.restart_receiver()
    }

    /// Starts the receiver, which was killed, at the same address and on the same folder.
    ///
    /// # Errors
    /// When it does not come up again.
    pub fn restart_receiver(&mut self) -> Result<()> {
        let address = self.receiver.address();
        self.receiver = Receiver::start_at(&products::program(Program::SendLearn)?, self.folder.path(), address)?;
        Ok(())
    }

    /// A `send-learn-send` to `address`, with what it says kept in the returned output.
    ///
    /// # Errors
    /// When the program is not built.
    pub fn sender(&self, address: SocketAddr) -> Result<Command> {
        let mut command = Command::new(products::program(Program::SendLearnSend)?);
        command.args(["--to", &address.to_string()]).stdin(Stdio::null());
        self.make_at_home(&mut command);
        Ok(command)
    }

    /// The CLAP host with `plugin`, which sends to the receiver. Its log goes to the test's folder.
    ///
    /// # Errors
    /// When the program is not built.
    pub fn host(&self, plugin: &Path) -> Result<Command> {
        let mut command = Command::new(products::program(Program::DemoHost)?);
        command.arg("--plugin").arg(plugin).arg("--out").arg(self.folder());
        command.env("SEND_LEARN_SERVER", self.receiver.address().to_string());
        self.make_at_home(&mut command);
        Ok(command)
    }

    /// The host that does what tests ask for: `task`, with `number`. It sends to the receiver.
    ///
    /// # Errors
    /// When program or plugin are not built.
    pub fn test_host(&self, task: &str, number: u64) -> Result<Command> {
        let mut command = Command::new(products::program(Program::TestHost)?);
        command.arg(task).arg(products::path("SEND_LEARN_CLAP")?).arg(number.to_string());
        command.env("SEND_LEARN_SERVER", self.receiver.address().to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        self.make_at_home(&mut command);
        Ok(command)
    }

    /// Settings and spool of the program are this test's own, and it looks for no receiver in the network of this machine.
    pub fn make_at_home(&self, command: &mut Command) {
        command.env("SEND_LEARN_DISCOVERY", "off");
        command.env("XDG_CONFIG_HOME", self.file("config")).env("XDG_CACHE_HOME", self.file("cache"));
    }

    /// Writes the settings that plugins of this rig find: `plugin.toml`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn settings(&self, text: &str) -> Result<()> {
        let folder = self.file("config").join("send-learn");
        std::fs::create_dir_all(&folder)?;
        Ok(std::fs::write(folder.join("plugin.toml"), text)?)
    }

    /// Lets a host play, waits until the recording is finished, and closes the host. Returns the recording.
    ///
    /// # Errors
    /// When the host fails, or the recording is not finished in time.
    pub fn record(&self, host: &mut Command) -> Result<PathBuf> {
        let mut process = Process::start(host.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        process.wait_for_line("played").context("the host did not play to the end")?;
        let recordings = self.receiver.finished(1, DELIVERY)?;
        drop(process.child().stdin.take());
        let status = process.wait(DELIVERY)?;
        match (status.success(), recordings.as_slice()) {
            (true, [recording]) => Ok(recording.clone()),
            (true, _) => bail!("{} recordings, not one", recordings.len()),
            (false, _) => bail!("the host ended with {status}"),
        }
    }

    /// The one finished recording.
    ///
    /// # Errors
    /// When it is not there in time, or not alone.
    pub fn recording(&self) -> Result<PathBuf> {
        match self.receiver.finished(1, DELIVERY)?.as_slice() {
            [recording] => Ok(recording.clone()),
            several => bail!("{} recordings, not one", several.len()),
        }
    }

    /// Verifies a recording with the receiver's own tool, then compares it with what was played by independent ones.
    ///
    /// # Errors
    /// When either finds a difference.
    pub fn compare(&self, recording: &Path, played: Played<'_>) -> Result<()> {
        let output = self.tool(["verify".as_ref(), recording.as_os_str()])?;
        if !output.status.success() {
            bail!("send-learn verify ended with {}: {}", output.status, said(&output));
        }
        let findings = python::compare(&products::path("SEND_LEARN_PYTHON")?, recording, played)?;
        println!("{findings}");
        Ok(())
    }

    /// Runs `send-learn` with `arguments` to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn tool<'a>(&self, arguments: impl IntoIterator<Item = &'a std::ffi::OsStr>) -> Result<Output> {
        let mut command = Command::new(products::program(Program::SendLearn)?);
        Ok(command.args(arguments).stdin(Stdio::null()).output()?)
    }
}

/// All that a program said.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
