//! What the host saves with the project: parameters, and the stream's identity, name and address.

use nice_plug::prelude::*;
use parking_lot::RwLock;

use crate::capture::Capture;

/// How many free automation lanes there are.
pub const LANES: usize = 8;

/// The plugin's parameters and saved texts.
#[derive(Params)]
pub struct SendParams {
    /// Whether what is heard is captured.
    #[id = "capture"]
    pub capture: BoolParam,
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
            bypass: BoolParam::new("Bypass", false).make_bypass(),
            offline: BoolParam::new("Capture Offline Renders", false).non_automatable(),
            lanes: std::array::from_fn(|index| Lane {
                value: FloatParam::new(format!("Lane {}", index + 1), 0.0, FloatRange::Linear { min: 0.0, max: 1.0 }),
            }),
            stream: RwLock::default(),
            name: RwLock::default(),
            server: RwLock::default(),
        }
    }
}

/// How many parameters are recorded.
const RECORDED: usize = 2 + LANES;

impl SendParams {
    /// Numbers and names of the recorded parameters.
    pub fn names(&self) -> Vec<(u32, String)> {
        let lanes = self.lanes.iter().map(|lane| lane.value.name());
        [self.capture.name(), self.bypass.name()].into_iter().chain(lanes).map(str::to_owned).zip(0..).map(swap).collect()
    }

    /// Normalised and plain values in the order of their numbers, without modulation.
    fn values(&self) -> [(f32, f64); RECORDED] {
        let switch = |param: &BoolParam| {
            let on = param.unmodulated_normalized_value();
            (on, f64::from(on))
        };
        std::array::from_fn(|number| match number {
            0 => switch(&self.capture),
            1 => switch(&self.bypass),
            lane => {
                let value = &self.lanes[lane - 2].value;
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
        assert_eq!(names[1], (1, "Bypass".to_owned()));
        assert_eq!(names[9], (9, "Lane 8".to_owned()));
    }

    #[test]
    fn the_host_sees_every_parameter_under_an_id_of_its_own() {
        let ids: Vec<String> = SendParams::default().param_map().into_iter().map(|(id, ..)| id).collect();
        assert_eq!(ids[..4], ["capture", "bypass", "offline", "lane_1"]);
        assert_eq!(ids.len(), 3 + LANES);
    }
}
