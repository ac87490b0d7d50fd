//! Each state of the window, made up: for the pictures of the documentation and the tests that compare them.

use std::f64::consts::TAU;
use std::sync::Arc;
use std::time::Duration;

use nice_plug::prelude::{BoolParam, BufferConfig, Plugin, PluginApi, ProcessMode};
use send_learn_discovery::Found;
use send_learn_protocol::packet::feedback::Storage;
use send_learn_protocol::packet::header::VERSION;
use send_learn_protocol::packet::hello::Refusal;
use send_learn_protocol::units::{ReceiverId, SamplePosition};

use super::Window;
use crate::address::AUTOMATIC;
use crate::instance::Instance;
use crate::params::SendParams;
use crate::plugin::{SendLearn, SendLearnMidi};
use crate::report::{LinkState, Report, Sought, Tested, disk_trouble};
use crate::settings::{CONSENT, Settings, Statement};

const RATE: f64 = 48_000.0;

/// The receiver of the pictures.
const RECEIVER: &str = "192.168.1.20:8080";

/// A state of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Activated, but nothing was played.
    Waiting,
    /// A receiver is being asked.
    Connecting,
    /// All is well.
    Live,
    /// The network takes less than everything.
    Degraded,
    /// What was missed follows.
    CatchingUp,
    /// Nobody answers.
    NoReceiver,
    /// The receiver's disk has no room.
    DiskFull,
    /// The host bypasses the plugin.
    Bypassed,
    /// What is played is private.
    Private,
    /// The host renders, and that is not captured.
    OfflineRender,
    /// Capture is switched off.
    CaptureOff,
    /// The receivers of the network are shown.
    Found,
    /// A receiver was tested.
    Tested,
    /// The receiver needs its key.
    Key,
    /// MIDI alone, with the lanes shown.
    Lanes,
    /// What may be done with the music is asked.
    Consent,
}

impl Stage {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Waiting,
        Self::Connecting,
        Self::Live,
        Self::Degraded,
        Self::CatchingUp,
        Self::NoReceiver,
        Self::DiskFull,
        Self::Bypassed,
        Self::Private,
        Self::OfflineRender,
        Self::CaptureOff,
        Self::Found,
        Self::Tested,
        Self::Key,
        Self::Lanes,
        Self::Consent,
    ];

    /// In lower case with hyphens, as in the names of the pictures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Connecting => "connecting",
            Self::Live => "live",
            Self::Degraded => "degraded",
            Self::CatchingUp => "catching-up",
            Self::NoReceiver => "no-receiver",
            Self::DiskFull => "disk-full",
            Self::Bypassed => "bypassed",
            Self::Private => "private",
            Self::OfflineRender => "offline-render",
            Self::CaptureOff => "capture-off",
            Self::Found => "found",
            Self::Tested => "tested",
            Self::Key => "key",
            Self::Lanes => "lanes",
            Self::Consent => "consent",
        }
    }

    /// A window in this state. Nothing is sent.
    pub fn window(self) -> Window {
        let instance = Instance::new(Arc::new(self.params()));
        instance.set_name("Lead Guitar");
        instance.set_colour((226, 122, 63));
        if self == Self::OfflineRender {
            let buffer = BufferConfig {
                sample_rate: RATE as f32,
                min_buffer_size: None,
                max_buffer_size: 512,
                process_mode: ProcessMode::Offline,
            };
            let _ = instance.activate(&SendLearn::AUDIO_IO_LAYOUTS[0], &buffer, PluginApi::Clap);
        }
        let statement = Statement { contributor: "Ada".to_owned(), licence: "CC-BY-4.0".to_owned(), consent: CONSENT.to_owned() };
        let asked = self != Self::Consent;
        let settings = Settings { asked, statement, ..Settings::default() };
        let title = if self == Self::Lanes { SendLearnMidi::NAME } else { SendLearn::NAME };
        let mut window = Window::new(instance, title).staged(settings, network(), move |time| self.report(time));
        window.show_receivers(self == Self::Found);
        window.show_lanes(self == Self::Lanes);
        if self == Self::Tested
            && let Ok(address) = RECEIVER.parse()
        {
            window.show_test(Tested::Answered { address, after: Duration::from_micros(900), keyed: true });
        }
        window
    }

    fn params(self) -> SendParams {
        let params = SendParams {
            capture: BoolParam::new("Capture", self != Self::CaptureOff),
            private: BoolParam::new("Private", self == Self::Private),
            bypass: BoolParam::new("Bypass", self == Self::Bypassed).make_bypass(),
            ..SendParams::default()
        };
        let server = if self == Self::Found { AUTOMATIC } else { RECEIVER };
        server.clone_into(&mut params.server.write());
        if self == Self::Lanes {
            let names = ["Filter", "Drive", "Mood", "", "Take quality", "", "", ""];
            *params.lane_names.write() = names.map(str::to_owned);
        }
        params
    }

    /// What the uplink would say `time` seconds after the begin.
    fn report(self, time: f64) -> Report {
        let idle = Report { whole: true, ..Report::default() };
        let plays = Report { running: true, ..played(time) };
        match self {
            Self::Waiting | Self::OfflineRender | Self::Consent => idle,
            Self::Connecting => Report { link: LinkState::Connecting, unanswered: Duration::from_secs(1), ..alone(plays) },
            Self::Live | Self::Private | Self::Found => plays,
            // The workstation was started three hours before.
            Self::Tested => Report { clock: Some((11_565_000_000_000, 430_000)), ..plays },
            Self::Key => Report {
                link: LinkState::Refused(Refusal::KeyNeeded),
                problem: Refusal::KeyNeeded.to_string(),
                lag: ago(4),
                owed: 1_301,
                ..alone(plays)
            },
            Self::Lanes => Report { peaks: Vec::new(), ..plays },
            Self::Degraded => Report { whole: false, loss: 0.083, repaired: 4_211, rate: 171_000.0, ..plays },
            Self::CatchingUp => Report {
                lag: Duration::from_millis(41_300),
                owed: 13_216,
                rate: 1_420_000.0,
                last_problem: Some((format!("nothing answered at {RECEIVER}. Is \"send-learn serve\" running there?"), ago(17))),
                ..plays
            },
            Self::NoReceiver => Report {
                link: LinkState::Connecting,
                unanswered: ago(75),
                lag: ago(75),
                owed: 24_020,
                last_problem: Some((format!("nothing answered at {RECEIVER}. Is \"send-learn serve\" running there?"), ago(0))),
                ..alone(plays)
            },
            Self::DiskFull => Report {
                storage: Storage::Full,
                problem: disk_trouble(Storage::Full).unwrap_or_default().to_owned(),
                lag: ago(38),
                owed: 12_164,
                last_problem: disk_trouble(Storage::Full).map(|words| (words.to_owned(), ago(0))),
                ..plays
            },
            Self::Bypassed | Self::CaptureOff => {
                Report { paused: true, rate: 120.0, peaks: vec![0.0, 0.0], midi: 1_284, datagrams: 61_207, ..plays }
            }
        }
    }
}

fn ago(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The receivers of a studio's network.
fn network() -> Sought {
    let found = |name: &str, id: u8, key: bool, address: &str| Found {
        name: name.to_owned(),
        receiver: ReceiverId([id; 16]),
        version: VERSION,
        key,
        addresses: address.parse().into_iter().collect(),
    };
    let receivers = vec![
        found("attic", 1, false, "192.168.1.31:8080"),
        found("machine-room", 2, true, RECEIVER),
        found("rehearsal", 3, true, "192.168.1.44:8080"),
    ];
    Sought { looking: true, receivers, trouble: String::new() }
}

/// Nobody takes it.
fn alone(report: Report) -> Report {
    Report { datagrams: 61_207, rate: 0.0, round_trip: Duration::ZERO, ..report }
}

/// A guitar that is played, and recorded with everything as it should be.
fn played(time: f64) -> Report {
    let beat = time * 2.0;
    let pluck = 0.75 * (-3.0 * beat.fract()).exp();
    let wobble = 1.0 + 0.2 * (TAU * time * 1.7).sin();
    let address = RECEIVER.parse().ok();
    let notes = (beat * 2.0) as u64 * 2 + (time / 1.5) as u64 * 3;
    Report {
        link: LinkState::Connected,
        address,
        sample_rate: RATE,
        position: SamplePosition(((184.0 + time) * RATE) as u64),
        blocks: 17_250 + (time * 93.75) as u64,
        midi: 1_284 + notes,
        datagrams: 61_207 + (time * 320.0) as u64,
        bytes: 70_388_050,
        lag: Duration::from_millis(420),
        owed: 136,
        loss: 0.001,
        round_trip: Duration::from_micros(860),
        rate: 401_000.0,
        whole: true,
        clock: Some((1_200_000, 430_000)),
        peaks: vec![(pluck * wobble) as f32, (pluck * 0.8 * (2.0 - wobble)) as f32],
        ..Report::default()
    }
}
