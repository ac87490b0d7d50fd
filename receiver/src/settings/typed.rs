//! Settings as the program uses them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::Effective;

/// All settings, with their types.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Whether that may be beyond this machine although nothing is encrypted.
    pub open: bool,
    /// The file of the key; without, that of this machine, if there is one.
    pub key_file: Option<PathBuf>,
    /// Whether the receiver is announced in the network.
    pub announce: bool,
    /// The folder for recordings.
    pub data: PathBuf,
    /// The most streams at once.
    pub max_streams: usize,
    /// The most of them from one address.
    pub max_streams_per_address: usize,
    /// Where Prometheus finds figures.
    pub metrics: Option<SocketAddr>,
    /// What the log says.
    pub log: String,
    /// Whether the log is JSON.
    pub log_json: bool,
    /// Length of sequences, and how much of one the next repeats, in seconds.
    pub sequence: (f64, f64),
    /// The fewest MIDI events in a sequence.
    pub min_midi_events: u64,
    /// What can be changed while the receiver runs.
    pub tunable: Tunable,
}

/// What can be changed while the receiver runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tunable {
    /// A take whose sender is away for longer than this has its part closed; it goes on in a new one.
    pub absence: Duration,
    /// A take's file is closed, and another begun, when it is as long as this; never, without.
    pub rotation: Option<Duration>,
    /// The gzip level of audio in new files, 0 to 9.
    pub compression: u8,
    /// Whether features of the audio are computed while it is recorded.
    pub features: bool,
    /// Warn when less than this is free, in bytes.
    pub low_space: u64,
    /// Pause when less than this is free, in bytes.
    pub reserve: u64,
    /// Finished recordings that are older than this are removed; never, without.
    pub keep_for: Option<Duration>,
    /// The oldest finished recordings are removed while less than this is free, in bytes; 0: never.
    pub keep_free: u64,
}

/// Files of this length are handy, and a damaged one costs no more than that.
const ROTATION: Duration = Duration::from_secs(600);

impl Default for Tunable {
    fn default() -> Self {
        Self {
            absence: Duration::from_secs(60),
            rotation: Some(ROTATION),
            compression: 1,
            features: true,
            low_space: 5_000_000_000,
            reserve: 200_000_000,
            keep_for: None,
            keep_free: 0,
        }
    }
}

impl Effective {
    /// The settings with their types.
    pub fn settings(&self) -> Settings {
        // The table has checked every value.
        let number = |name| self.value(name).parse::<f64>().unwrap_or_default();
        let switch = |name| self.value(name) == "true";
        let seconds = |name, unit: f64| Duration::try_from_secs_f64(number(name) * unit).unwrap_or(Duration::MAX);
        let some = |duration: Duration| Some(duration).filter(|duration| !duration.is_zero());
        let bytes = |name, unit: f64| (number(name) * unit) as u64;
        let address = |name| self.value(name).parse::<SocketAddr>().ok();
        Settings {
            listen: address("listen").unwrap_or_else(|| unreachable!("the table lets only addresses through")),
            open: switch("open"),
            key_file: Some(self.value("key-file")).filter(|path| !path.is_empty()).map(PathBuf::from),
            announce: switch("announce"),
            data: PathBuf::from(self.value("data")),
            max_streams: number("max-streams") as usize,
            max_streams_per_address: number("max-streams-per-address") as usize,
            metrics: address("metrics"),
            log: self.value("log").to_owned(),
            log_json: self.value("log-format") == "json",
            sequence: (number("sequence-length"), number("overlap")),
            min_midi_events: number("min-midi-events") as u64,
            tunable: Tunable {
                absence: seconds("absence", 1.0),
                rotation: some(seconds("rotate", 60.0)),
                compression: number("compression") as u8,
                features: switch("features"),
                low_space: bytes("low-space", 1e9),
                reserve: bytes("reserve", 1e6),
                keep_for: some(seconds("keep-days", 86_400.0)),
                keep_free: bytes("keep-free", 1e9),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Flags, TABLE};
    use super::*;

    #[test]
    fn every_setting_has_its_type_and_the_usual_ones_are_those_of_a_receiver_without_settings() {
        let values = TABLE.iter().map(|setting| (setting.name, setting.default.to_owned())).collect();
        let flags = Flags { config: None, values };
        let effective = Effective::resolve(&Flags { config: Some("/dev/null".into()), ..flags }).unwrap();
        assert_eq!(effective.settings().tunable, Tunable::default());
    }
}
