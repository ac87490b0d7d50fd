//! The table of settings: the one place that knows them. Flags, variables, the file, `send-learn config` and the documentation are made
//! of it.

use std::net::SocketAddr;

use tracing_subscriber::EnvFilter;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its name: the key in the file, and the flag after `--`.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// What it is where nobody says anything, as it would be written; empty where that is not fixed, or nothing.
    pub default: &'static str,
    /// Whether a running receiver takes a change when it reads its file again. The rest needs a restart.
    pub live: bool,
    /// What it does, in a sentence or two.
    pub about: &'static str,
}

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An IP address with a port.
    Address,
    /// The same, or `off`.
    AddressOrOff,
    /// A folder; `~` is the home folder.
    Folder,
    /// A file, likewise; empty: none is named.
    File,
    /// `true` or `false`; the flag that says `false`, without its hyphens.
    Switch(&'static str),
    /// A number from the first to the second, of the unit; with decimals only if the last says so.
    Number {
        /// The least.
        least: u64,
        /// The most.
        most: u64,
        /// Of what, in capitals.
        unit: &'static str,
        /// Whether it may have decimals.
        decimals: bool,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A filter of the log, as `tracing` has them.
    Filter,
}

const fn whole(least: u64, most: u64, unit: &'static str) -> Kind {
    Kind::Number { least, most, unit, decimals: false }
}

const fn number(least: u64, most: u64, unit: &'static str) -> Kind {
    Kind::Number { least, most, unit, decimals: true }
}

/// All settings, in the order in which people meet them.
pub static TABLE: &[Setting] = &[
    Setting {
        name: "listen",
        kind: Kind::Address,
        default: "127.0.0.1:8080",
        live: false,
        about: "Where to listen: UDP for senders, TCP for viewers. Port 0 takes a free one",
    },
    Setting {
        name: "open",
        kind: Kind::Switch("no-open"),
        default: "false",
        live: false,
        about: "Let everybody in, unencrypted: whoever reaches the address can send and watch. Otherwise the key is needed, if there is one; beyond this machine there must be one",
    },
    Setting {
        name: "key-file",
        kind: Kind::File,
        default: "",
        live: false,
        about: "The file of the key; where none is named, the one that `send-learn key` made, if there is one",
    },
    Setting {
        name: "announce",
        kind: Kind::Switch("no-announce"),
        default: "true",
        live: false,
        about: "Let plugins in the network find this receiver by name, if it listens beyond this machine",
    },
    Setting { name: "data", kind: Kind::Folder, default: "~/SendLearn", live: false, about: "The folder for recordings" },
    Setting {
        name: "max-streams",
        kind: whole(1, 4_096, "STREAMS"),
        default: "256",
        live: false,
        about: "The most streams at once; more are refused",
    },
    Setting {
        name: "max-streams-per-address",
        kind: whole(1, 4_096, "STREAMS"),
        default: "128",
        live: false,
        about: "The most of them from one address; of IPv6, from all that share the first 64 bits",
    },
    Setting {
        name: "rotate",
        kind: number(0, 1_440, "MINUTES"),
        default: "10",
        live: true,
        about: "Begin another file when one is as long as this; 0: never",
    },
    Setting {
        name: "absence",
        kind: number(0, 86_400, "SECONDS"),
        default: "60",
        live: true,
        about: "A take whose sender is away for longer than this has its file closed; it goes on in another",
    },
    Setting {
        name: "compression",
        kind: whole(0, 9, "LEVEL"),
        default: "1",
        live: true,
        about: "How hard audio is compressed, from files that begin now on; 0: not at all. More than 1 costs much and saves little",
    },
    Setting {
        name: "features",
        kind: Kind::Switch("no-features"),
        default: "true",
        live: true,
        about: "Compute features of the audio while recording, in takes that begin now",
    },
    Setting {
        name: "low-space",
        kind: number(0, 1_000_000, "GB"),
        default: "5",
        live: true,
        about: "Warn when less than this is free on the disk of the recordings",
    },
    Setting {
        name: "reserve",
        kind: number(0, 1_000_000, "MB"),
        default: "200",
        live: true,
        about: "Pause recording when less than this is free, so that files can be closed and the machine goes on; senders keep what they have",
    },
    Setting {
        name: "keep-days",
        kind: number(0, 36_500, "DAYS"),
        default: "0",
        live: true,
        about: "Remove finished recordings that are older than this; 0: keep them",
    },
    Setting {
        name: "keep-free",
        kind: number(0, 1_000_000, "GB"),
        default: "0",
        live: true,
        about: "Remove the oldest finished recordings while less than this is free on the disk; 0: keep them",
    },
    Setting {
        name: "metrics",
        kind: Kind::AddressOrOff,
        default: "off",
        live: false,
        about: "Where Prometheus finds figures, by HTTP at /metrics; 127.0.0.1:9184, for one",
    },
    Setting {
        name: "log",
        kind: Kind::Filter,
        default: "info",
        live: true,
        about: "What the log says: error, warn, info, debug, trace, or a filter as tracing has them",
    },
    Setting {
        name: "log-format",
        kind: Kind::Choice(&["text", "json"]),
        default: "text",
        live: false,
        about: "How the log is written to stderr: for people, or one JSON object on each line",
    },
    Setting {
        name: "sequence-length",
        kind: number(0, 3_600, "SECONDS"),
        default: "30",
        live: true,
        about: "Length of the sequences of `export` and `report`, where their own flag does not say it",
    },
    Setting {
        name: "overlap",
        kind: number(0, 3_600, "SECONDS"),
        default: "5",
        live: true,
        about: "How much of a sequence the next one repeats, likewise",
    },
    Setting {
        name: "min-midi-events",
        kind: whole(0, 1_000_000, "EVENTS"),
        default: "10",
        live: true,
        about: "The fewest MIDI events in a sequence, likewise",
    },
];

impl Setting {
    /// The variable of the environment: `SEND_LEARN_` and the name.
    pub fn variable(&self) -> String {
        format!("SEND_LEARN_{}", self.name.to_uppercase().replace('-', "_"))
    }

    /// The flag as a person types it.
    pub fn flag(&self) -> String {
        match (self.kind, self.default) {
            (Kind::Switch(no), "true") => format!("--{no}"),
            (Kind::Switch(_), _) => format!("--{}", self.name),
            (kind, _) => format!("--{} {}", self.name, kind.placeholder()),
        }
    }
}

impl Kind {
    /// Whether it is a place on the disk.
    pub(super) fn is_path(self) -> bool {
        matches!(self, Self::Folder | Self::File)
    }

    /// What stands for a value in usage lines.
    pub fn placeholder(self) -> &'static str {
        match self {
            Self::Address | Self::AddressOrOff => "ADDRESS",
            Self::Folder => "FOLDER",
            Self::File => "FILE",
            Self::Switch(_) => "true|false",
            Self::Number { unit, .. } => unit,
            Self::Choice(_) => "FORMAT",
            Self::Filter => "FILTER",
        }
    }

    /// The unit as a person writes it; empty where there is none.
    fn unit(self) -> String {
        match self {
            Self::Number { unit: unit @ ("MB" | "GB"), .. } => unit.to_owned(),
            Self::Number { unit, .. } if unit != "LEVEL" => unit.to_lowercase(),
            _ => String::new(),
        }
    }

    /// What is allowed, in words.
    pub fn allowed(self) -> String {
        match self {
            Self::Address => "an IP address with a port, as 127.0.0.1:8080 or [::1]:8080".to_owned(),
            Self::AddressOrOff => "`off`, or an IP address with a port, as 127.0.0.1:9184".to_owned(),
            Self::Folder => "the path of a folder".to_owned(),
            Self::File => "the path of a file".to_owned(),
            Self::Switch(_) => "true or false".to_owned(),
            Self::Number { least, most, decimals, .. } => {
                let whole = if decimals { "" } else { "whole " };
                let unit = self.unit();
                let of = if unit.is_empty() { ", a gzip level".to_owned() } else { format!(" of {unit}") };
                format!("a {whole}number{of}, {least} to {most}")
            }
            Self::Choice(words) => words.join(" or "),
            Self::Filter => "error, warn, info, debug, trace, or a filter as tracing has them".to_owned(),
        }
    }

    /// Whether `text` is a value of this kind.
    pub fn accepts(self, text: &str) -> bool {
        match self {
            Self::Address => text.parse::<SocketAddr>().is_ok(),
            Self::AddressOrOff => text == "off" || text.parse::<SocketAddr>().is_ok(),
            Self::Folder => !text.is_empty(),
            Self::File => true,
            Self::Switch(_) => matches!(text, "true" | "false"),
            Self::Number { least, most, decimals, .. } => {
                let within = |value: f64| (least as f64..=most as f64).contains(&value);
                text.parse::<f64>().is_ok_and(within) && (decimals || text.parse::<u64>().is_ok())
            }
            Self::Choice(words) => words.contains(&text),
            Self::Filter => EnvFilter::builder().parse(text).is_ok() && !text.is_empty(),
        }
    }
}

/// The setting of this name.
pub fn setting(name: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|setting| setting.name == name)
}

/// The table as the documentation shows it, in Markdown.
pub fn documentation() -> String {
    let mut text = "| setting | flag | otherwise | takes effect | |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for setting in TABLE {
        let unit = match setting.kind.unit() {
            unit if unit.is_empty() => unit,
            unit => format!(" {unit}"),
        };
        let (name, flag, default, about) = (setting.name, setting.flag().replace('|', "\\|"), setting.default, setting.about);
        let when = if setting.live { "on reload" } else { "on restart" };
        let default = if default.is_empty() { "-" } else { default };
        text.push_str(&format!("| `{name}` | `{flag}` | {default}{unit} | {when} | {about} |\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_defaults_are_allowed() {
        for (index, setting) in TABLE.iter().enumerate() {
            assert!(setting.kind.accepts(setting.default), "{}: {}", setting.name, setting.default);
            assert!(TABLE[..index].iter().all(|other| other.name != setting.name), "{}", setting.name);
        }
    }

    #[test]
    fn values_beyond_what_is_allowed_are_none() {
        let refused = [
            ("listen", "localhost:8080"),
            ("listen", "127.0.0.1"),
            ("metrics", "on"),
            ("open", "yes"),
            ("rotate", "-1"),
            ("rotate", "1441"),
            ("rotate", "NaN"),
            ("compression", "1.5"),
            ("compression", "10"),
            ("log-format", "xml"),
            ("log", "=loud="),
            ("data", ""),
        ];
        for (name, text) in refused {
            assert!(!setting(name).unwrap().kind.accepts(text), "{name} = {text}");
        }
        for (name, text) in [("rotate", "0.5"), ("metrics", "[::1]:1"), ("log", "debug,mio=warn"), ("low-space", "0")] {
            assert!(setting(name).unwrap().kind.accepts(text), "{name} = {text}");
        }
    }

    #[test]
    fn the_documentation_has_this_table() {
        let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/receiver.md");
        let text = std::fs::read_to_string(docs).unwrap();
        assert!(text.contains(&documentation()), "put this into docs/receiver.md:\n\n{}", documentation());
    }
}
