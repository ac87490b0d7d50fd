//! Onsets are those of librosa's onset detection with the same threshold and floor, and agreement is that of mir_eval.
//!
//! Both run in the Python that `SEND_LEARN_PYTHON` names. Where one is missing, the test says so.

use std::fs;
use std::path::Path;
use std::process::Command;

use send_learn::quality::{Agreement, onsets};
use serde_json::{Value, json};

/// The exit status by which the script says that a library is not there, or does not work.
const NO_LIBRARY: i32 = 77;

/// Numbers from 0 to 1, the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1_u64 << 24) as f64
    }
}

/// Asks the script about `question`; none where it cannot answer.
fn ask(what: &str, question: &Value, folder: &Path) -> Option<Value> {
    let Some(python) = std::env::var_os("SEND_LEARN_PYTHON") else {
        eprintln!("skipped: SEND_LEARN_PYTHON names no Python with librosa 0.11 and mir_eval");
        return None;
    };
    fs::write(folder.join("question.json"), question.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onset_reference.py");
    let output = Command::new(python).arg(script).arg(what).arg(folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(NO_LIBRARY) {
        eprintln!("skipped: {}", said.trim());
        return None;
    }
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_str(&said).unwrap())
}

/// Twenty seconds of tones, struck and damped at random times, over soft noise; some louder than others.
fn playing(seed: u64, rate: f64) -> Vec<f32> {
    let mut dice = Dice(seed);
    let mut samples: Vec<f32> = (0..(20.0 * rate) as usize).map(|_| (dice.roll() as f32 - 0.5) * 1e-4).collect();
    let mut begin = 0.3;
    while begin < 19.0 {
        let (pitch, loudness, decay) = (80.0 * 2_f64.powf(dice.roll() * 5.0), 0.02 + 0.3 * dice.roll(), 0.05 + 0.4 * dice.roll());
        for (index, sample) in samples.iter_mut().enumerate().skip((begin * rate) as usize) {
            let time = index as f64 / rate - begin;
            *sample += (loudness * (-time / decay).exp() * (std::f64::consts::TAU * pitch * time).sin()) as f32;
        }
        begin += 0.02 + 0.3 * dice.roll();
    }
    samples
}

#[test]
fn onsets_are_those_of_librosa() {
    let folder = tempfile::tempdir().unwrap();
    let mut signals = vec![("silence".to_owned(), 48_000.0, vec![0.0; 48_000])];
    for (seed, rate) in [(1, 22_050.0), (2, 44_100.0), (3, 48_000.0), (4, 96_000.0)] {
        signals.push((format!("playing at {rate}"), rate, playing(seed, rate)));
    }
    for (number, (_, _, samples)) in signals.iter().enumerate() {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        fs::write(folder.path().join(format!("{number}.f32")), bytes).unwrap();
    }
    let rates: Vec<f64> = signals.iter().map(|(_, rate, _)| *rate).collect();
    let Some(answer) = ask("onsets", &json!(rates), folder.path()) else { return };
    for ((name, rate, samples), expected) in signals.iter().zip(answer.as_array().unwrap()) {
        let found = onsets(samples, *rate);
        println!("{name}: {} onsets", found.len());
        assert_eq!(&json!(found), expected, "{name}");
        assert!(found.len() > 30 || name == "silence");
    }
}

#[test]
fn agreement_is_that_of_mir_eval() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(7);
    // Onsets of notes at least 39 ms apart, as nothing is joined to a chord then; a rate whose times floats hold exactly.
    let rate = 65_536.0;
    let mut cases = Vec::new();
    for _ in 0..200 {
        let count = 1 + (dice.roll() * 60.0) as usize;
        let mut at = 0;
        let played: Vec<u64> = (0..count)
            .map(|_| {
                at += 2_560 + (dice.roll() * 6_000.0) as u64;
                at
            })
            .collect();
        let mut heard: Vec<u64> = (0..1 + (dice.roll() * 60.0) as usize).map(|_| (dice.roll() * at as f64) as u64).collect();
        // The last sample within the window, and the one after it.
        heard.extend([played[0] + 3_276, played[count / 2] + 3_277]);
        heard.sort_unstable();
        heard.dedup();
        cases.push((played, heard));
    }
    let seconds = |onsets: &[u64]| onsets.iter().map(|&onset| onset as f64 / rate).collect::<Vec<f64>>();
    let question: Vec<_> = cases.iter().map(|(played, heard)| (seconds(played), seconds(heard))).collect();
    let Some(answer) = ask("agreement", &json!(question), folder.path()) else { return };
    for ((played, heard), expected) in cases.iter().zip(answer.as_array().unwrap()) {
        let ours = Agreement::of("", played, heard, rate).expect("onsets");
        let theirs: Vec<f64> = expected.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
        for (ours, theirs) in [ours.f_measure, ours.precision, ours.recall].into_iter().zip(theirs) {
            assert!((ours - theirs).abs() < 1e-12, "{ours} {theirs}: {played:?} {heard:?}");
        }
    }
}
