//! A receiver and a sender as processes: the real programs, on a port of their own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long the receiver may take to close a file.
const PATIENCE: Duration = Duration::from_secs(30);

/// The programs' folder; `None` prints why the test is left out.
pub fn programs() -> Option<PathBuf> {
    let folder = std::env::var_os("SEND_LEARN_BIN_DIR").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: it needs the receiver's and the sender's programs, so it runs by `cargo xtask test`");
    }
    folder
}

/// A receiver with a data folder of its own. It is gone when this is.
pub struct Studio {
    programs: PathBuf,
    receiver: Child,
    /// Where it listens.
    pub address: String,
    folder: TempDir,
}

impl Studio {
    /// Starts one.
    pub fn start(programs: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut receiver = Command::new(programs.join("send-learn"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.path().join("data"))
            .env("SEND_LEARN_CONFIG", "/dev/null")
            .env("XDG_CONFIG_HOME", folder.path().join("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(folder.path().join("receiver.log")).unwrap())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(receiver.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| line.unwrap().strip_prefix("listening on ").map(str::to_owned));
        let address = address.and_then(|line| line.split_whitespace().next().map(str::to_owned)).unwrap();
        std::thread::Builder::new().name("receiver's words".into()).spawn(move || lines.for_each(drop)).unwrap();
        Self { programs: programs.to_owned(), receiver, address, folder }
    }

    /// A file of the test.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where it records.
    pub fn data(&self) -> PathBuf {
        self.file("data")
    }

    /// A command that sends to it.
    pub fn sender(&self) -> Command {
        let mut sender = Command::new(self.programs.join("send-learn-send"));
        let home = self.file("sender");
        sender.args(["--to", &self.address]).env("XDG_CONFIG_HOME", &home).env("XDG_CACHE_HOME", &home);
        sender.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        sender
    }

    /// Sends files as fast as it takes them, until it has them on disk.
    pub fn record(&self, files: &[(&str, &Path)]) {
        let mut sender = self.sender();
        for (option, path) in files {
            sender.arg(option).arg(path);
        }
        assert!(sender.arg("--fast").status().unwrap().success());
        self.wait_until_closed();
    }

    /// Waits until all that it records is in closed files.
    pub fn wait_until_closed(&self) {
        let until = Instant::now() + PATIENCE;
        while self.recorded(".h5").is_empty() || !self.recorded(".h5.part").is_empty() {
            assert!(Instant::now() < until, "the recording is not closed");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        self.receiver.kill().unwrap();
        self.receiver.wait().unwrap();
    }

    /// All files below the data folder whose names end in `ending`.
    pub fn recorded(&self, ending: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.data()];
        while let Some(folder) = folders.pop() {
            for item in fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = item.path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.to_string_lossy().ends_with(ending) {
                    found.push(path);
                }
            }
        }
        found
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.receiver.kill();
        let _ = self.receiver.wait();
    }
}

/// Writes a stereo WAV file of 16 bits at 48 kHz.
pub fn write_wav(path: &Path, samples: &[i16]) {
    let bytes = samples.len() as u32 * 2;
    let mut file = Vec::from(*b"RIFF");
    file.extend((36 + bytes).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x02\0");
    file.extend(48_000_u32.to_le_bytes());
    file.extend((48_000_u32 * 4).to_le_bytes());
    file.extend(b"\x04\0\x10\0data");
    file.extend(bytes.to_le_bytes());
    samples.iter().for_each(|sample| file.extend(sample.to_le_bytes()));
    fs::write(path, file).unwrap();
}

/// Writes a MIDI file at 120 quarters a minute with a note of key 69 that begins after one quarter (half a second) and lasts one.
pub fn write_midi(path: &Path) {
    let events = b"\0\xFF\x51\x03\x07\xA1\x20\x60\x90\x45\x64\x60\x80\x45\0\0\xFF\x2F\0";
    let mut file = Vec::from(*b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk");
    file.extend((events.len() as u32).to_be_bytes());
    file.extend(events);
    fs::write(path, file).unwrap();
}
