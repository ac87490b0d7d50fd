//! What the host saves with the project: parameters, and the stream's identity, name and address.

use nice_plug::prelude::*;
use parking_lot::RwLock;

use crate::capture::{Capture, Pause, Wanted};
use crate::settings::Statement;

/// How many free automation lanes there are.
pub const LANES: usize = 8;

/// The plugin's parameters and saved texts.
#[derive(Params)]
pub struct SendParams {
    /// Whether what is heard is captured. Off, nothing leaves this machine.
    #[id = "capture"]
    pub capture: BoolParam,
    /// Whether what is heard is private: in no dataset, or, if the settings say so, not even sent.
    #[id = "private"]
    pub private: BoolParam,
    /// The host's bypass: audio passes as always, nothing is captured.
    #[id = "bypass"]
    pub bypass: BoolParam,
    /// Whether an offline render is captured too.
    #[id = "offline"]
    pub offline: BoolParam,
    /// Free lanes, recorded with the music for whatever a person wants to teach.
    #[nested(array)]
    pub lanes: [Lane; LANES],
    /// The stream's identity, a UUID; empty until the first activation.
    #[persist = "stream"]
    pub stream: RwLock<String>,
    /// The stream's name: the track's, as the host last told it.
    #[persist = "name"]
    pub name: RwLock<String>,
    /// The receiver's address; empty for the default.
    #[persist = "server"]
    pub server: RwLock<String>,
    /// What the person says of this track alone; `None` where what is said everywhere holds.
    #[persist = "statement"]
    pub statement: RwLock<Option<Statement>>,
    /// What the person calls the lanes, for the recording; empty where a lane has its number alone. The framework cannot change
    /// what hosts show, so there they stay "Lane 1" to "Lane 8".
    #[persist = "lanes"]
    pub lane_names: RwLock<[String; LANES]>,
}

/// One free lane.
#[derive(Params)]
pub struct Lane {
    /// 0 to 1.
    #[id = "lane"]
    pub value: FloatParam,
}

impl Default for SendParams {
    fn default() -> Self {
        Self {
            capture: BoolParam::new("Capture", true),
            private: BoolParam::new("Private", false),
            bypass: BoolParam::new("Bypass", false).make_bypass(),
            offline: BoolParam::new("Capture Offline Renders", false).non_automatable(),
            lanes: std::array::from_fn(|index| Lane {
                value: FloatParam::new(format!("Lane {}", index + 1), 0.0, FloatRange::Linear { min: 0.0, max: 1.0 }),
            }),
            stream: RwLock::default(),
            name: RwLock::default(),
            server: RwLock::default(),
            statement: RwLock::default(),
            lane_names: RwLock::default(),
        }
    }
}

/// How many parameters are recorded.
const RECORDED: usize = SWITCHES + LANES;

/// How many of them are switches; they come first.
const SWITCHES: usize = 3;

impl SendParams {
    /// Numbers and names of the recorded parameters.
    pub fn names(&self) -> Vec<(u32, String)> {
        let switches = self.switches().map(|switch| switch.name().to_owned());
        let lanes = (0..LANES).map(|lane| self.lane_name(lane));
        switches.into_iter().chain(lanes).zip(0..).map(swap).collect()
    }

    /// What the recording calls lane `lane`, which counts from 0.
    pub fn lane_name(&self, lane: usize) -> String {
        let given = self.lane_names.read()[lane].clone();
        if given.is_empty() { self.lanes[lane].value.name().to_owned() } else { given }
    }

    /// The number under which lane `lane` is recorded.
    pub fn lane_number(lane: usize) -> u32 {
        (SWITCHES + lane) as u32
    }

    /// What shall become of a block that begins now. With `withhold`, what is private does not leave this machine.
    pub fn wanted(&self, withhold: bool) -> Wanted {
        match (self.capture.value(), self.bypass.value(), self.private.value()) {
            (false, ..) => Wanted::Skipped(Pause::CaptureOff),
            (_, true, _) => Wanted::Skipped(Pause::Bypassed),
            (_, _, true) if withhold => Wanted::Skipped(Pause::Private),
            (_, _, true) => Wanted::Private,
            _ => Wanted::Captured,
        }
    }

    fn switches(&self) -> [&BoolParam; SWITCHES] {
        [&self.capture, &self.private, &self.bypass]
    }

    /// Normalised and plain values in the order of their numbers, without modulation.
    fn values(&self) -> [(f32, f64); RECORDED] {
        let switches = self.switches();
        std::array::from_fn(|number| match switches.get(number) {
            Some(switch) => {
                let on = switch.unmodulated_normalized_value();
                (on, f64::from(on))
            }
            None => {
                let value = &self.lanes[number - SWITCHES].value;
                (value.unmodulated_normalized_value(), f64::from(value.unmodulated_plain_value()))
            }
        })
    }
}

fn swap<A, B>((a, b): (A, B)) -> (B, A) {
    (b, a)
}

/// Remembers the parameters' values, to record those that change.
#[derive(Debug)]
pub struct ParameterWatch([f32; RECORDED]);

impl Default for ParameterWatch {
    /// Knows no value yet: all are recorded first.
    fn default() -> Self {
        Self([f32::NAN; RECORDED])
    }
}

impl ParameterWatch {
    /// Records what differs from the last captured block, at the begin of this one.
    pub fn capture(&mut self, params: &SendParams, capture: &mut Capture) {
        for (number, (normalized, plain)) in params.values().into_iter().enumerate() {
            if self.0[number].to_bits() != normalized.to_bits() {
                self.0[number] = normalized;
                capture.automation(0, number as u32, f64::from(normalized), plain);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recorded_parameters_have_stable_numbers() {
        let names = SendParams::default().names();
        assert_eq!(names.len(), RECORDED);
        assert_eq!(names[0], (0, "Capture".to_owned()));
        assert_eq!(names[1], (1, "Private".to_owned()));
        assert_eq!(names[2], (2, "Bypass".to_owned()));
        assert_eq!(names[10], (10, "Lane 8".to_owned()));
    }

    #[test]
    fn a_lane_is_recorded_under_the_name_that_a_person_gave_it() {
        let params = SendParams::default();
        params.lane_names.write()[1] = "Filter".to_owned();
        let names = params.names();
        assert_eq!(names[4], (SendParams::lane_number(1), "Filter".to_owned()));
        assert_eq!(names[5].1, "Lane 3");
    }

    #[test]
    fn the_host_sees_every_parameter_under_an_id_of_its_own() {
        let ids: Vec<String> = SendParams::default().param_map().into_iter().map(|(id, ..)| id).collect();
        assert_eq!(ids[..5], ["capture", "private", "bypass", "offline", "lane_1"]);
        assert_eq!(ids.len(), 4 + LANES);
    }
}
