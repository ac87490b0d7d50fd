//! Every feature of Send Learn is that of librosa 0.11, on real music and on signals from the edge.
//!
//! `spec/dataset.md`, "Agreement with librosa", states the norms that hold here. Librosa runs in the Python that
//! `SEND_LEARN_PYTHON` names; tunes are rendered by FluidSynth. Where either is missing, the test says so and what it left out.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use send_learn::features::{Features, Plan, Settings, extract, mix_down};

const TUNES: &str = "/usr/share/games/openttd/baseset/openmsx";
const SOUNDFONT: &str = "/usr/share/sounds/sf2/TimGM6mb.sf2";
const TUNE_COUNT: usize = 10;
const TUNE_SECONDS: usize = 20;

/// The relative error that is allowed.
const TOLERANCE: f64 = 1e-4;

/// The exit status by which the script says that librosa is not there.
const NO_LIBROSA: i32 = 77;

struct Signal {
    name: String,
    settings: Settings,
    samples: Vec<f32>,
}

impl Signal {
    fn new(name: &str, sample_rate: f64, samples: Vec<f32>) -> Self {
        Self { name: name.into(), settings: Settings::new(sample_rate), samples }
    }
}

#[test]
fn every_feature_on_edge_signals_is_that_of_librosa() {
    compare(&edge_signals());
}

#[test]
fn every_feature_of_tunes_is_that_of_librosa() {
    match tunes() {
        Ok(tunes) => compare(&tunes),
        Err(reason) => println!("skipped: {reason}"),
    }
}

/// Has librosa make the features of the signals, and compares ours with them.
fn compare(signals: &[Signal]) {
    let Some(python) = std::env::var_os("SEND_LEARN_PYTHON") else {
        println!("skipped: SEND_LEARN_PYTHON names no Python with librosa 0.11");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder for signals");
    for signal in signals {
        write(folder.path(), signal);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/librosa_reference.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().expect("Python starts");
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(NO_LIBROSA) {
        println!("skipped: {}", said.trim());
        return;
    }
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let mut findings = Findings::default();
    for signal in signals {
        let plan = Plan::new(signal.settings.clone()).expect("valid settings");
        let features = extract(&plan, &signal.samples).expect("finite samples");
        findings.signal(folder.path(), signal, &plan, &features);
    }
    for (name, error, signal) in &findings.worst {
        println!("{name:18} at most {error:8.1e} of its norm off ({signal})");
    }
    println!("{} of {} rolloffs lie in a neighbouring bin", findings.ties, findings.rolloffs);
    assert!(findings.failures.is_empty(), "{}", findings.failures.join("\n"));
}

fn write(folder: &Path, signal: &Signal) {
    let Settings { sample_rate, n_fft, hop_length, n_mels, mfcc_n, chroma_n } = signal.settings;
    let settings = format!(
        r#"{{"sample_rate": {sample_rate}, "n_fft": {n_fft}, "hop_length": {hop_length}, "n_mels": {n_mels}, "mfcc_n": {mfcc_n}, "chroma_n": {chroma_n}}}"#
    );
    fs::write(folder.join(format!("{}.json", signal.name)), settings).expect("settings are written");
    let bytes: Vec<u8> = signal.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    fs::write(folder.join(format!("{}.f32", signal.name)), bytes).expect("samples are written");
}

/// What the comparison found.
#[derive(Default)]
struct Findings {
    /// Of each feature, the largest error in units of its norm, and the signal that has it.
    worst: Vec<(&'static str, f64, String)>,
    failures: Vec<String>,
    rolloffs: usize,
    ties: usize,
}

/// What an error is relative to.
#[derive(Clone, Copy)]
enum Norm {
    /// The value itself.
    Value,
    /// The largest value of the frame.
    Frame,
    /// The largest value of the take.
    Take,
}

impl Findings {
    fn signal(&mut self, folder: &Path, signal: &Signal, plan: &Arc<Plan>, ours: &Features) {
        let Settings { n_mels, mfcc_n, chroma_n, .. } = *plan.settings();
        let columns: [(&'static str, &[f32], usize, Norm); 9] = [
            ("mel", &ours.mel, n_mels, Norm::Frame),
            ("mfcc", &ours.mfcc, mfcc_n, Norm::Frame),
            ("chroma", &ours.chroma, chroma_n, Norm::Frame),
            ("centroid", &ours.centroid, 1, Norm::Value),
            ("bandwidth", &ours.bandwidth, 1, Norm::Value),
            ("flatness", &ours.flatness, 1, Norm::Value),
            ("zero_crossing_rate", &ours.zero_crossing_rate, 1, Norm::Value),
            ("rms", &ours.rms, 1, Norm::Value),
            ("onset", &ours.onset, 1, Norm::Take),
        ];
        for (name, values, width, norm) in columns {
            let reference = read(folder, signal, name);
            if values.len() != width * ours.frames || reference.len() != values.len() {
                let (ours, librosa) = (values.len(), reference.len());
                self.failures.push(format!("{}: {ours} values of {name}, librosa has {librosa}", signal.name));
                continue;
            }
            let error = worst_error(values, &reference, width, norm);
            if error > TOLERANCE || error.is_nan() {
                self.failures.push(format!("{}: {name} is off by {error:.1e}", signal.name));
            }
            match self.worst.iter_mut().find(|(known, ..)| *known == name) {
                Some(worst) if worst.1 < error => *worst = (name, error, signal.name.clone()),
                Some(_) => (),
                None => self.worst.push((name, error, signal.name.clone())),
            }
        }
        self.rolloff(folder, signal, &ours.rolloff);
    }

    /// The rolloff is the frequency of a bin. It may be the neighbour's where rounding decides between the two.
    fn rolloff(&mut self, folder: &Path, signal: &Signal, ours: &[f32]) {
        let reference = read(folder, signal, "rolloff");
        let bin = signal.settings.sample_rate / signal.settings.n_fft as f64;
        self.rolloffs += ours.len();
        if reference.len() != ours.len() {
            self.failures.push(format!("{}: {} rolloffs, librosa has {}", signal.name, ours.len(), reference.len()));
        }
        for (frame, (&ours, reference)) in ours.iter().zip(reference).enumerate() {
            let bins = (f64::from(ours) - reference).abs() / bin;
            self.ties += usize::from(bins > 0.5);
            if bins > 1.001 {
                self.failures.push(format!("{}: rolloff of frame {frame} is {ours}, librosa has {reference}", signal.name));
            }
        }
    }
}

fn worst_error(ours: &[f32], reference: &[f64], width: usize, norm: Norm) -> f64 {
    let largest = |values: &[f64]| values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    let take = largest(reference);
    let mut worst = 0.0;
    for (ours, reference) in ours.chunks(width).zip(reference.chunks(width)) {
        let scale = match norm {
            Norm::Value | Norm::Frame => largest(reference),
            Norm::Take => take,
        };
        for (&ours, &reference) in ours.iter().zip(reference) {
            let error = (f64::from(ours) - reference).abs();
            // Where librosa has zeros, so have we.
            let relative = if error == 0.0 { 0.0 } else { error / scale };
            if relative.is_nan() || relative > worst {
                worst = relative;
            }
        }
    }
    worst
}

fn read(folder: &Path, signal: &Signal, feature: &str) -> Vec<f64> {
    let bytes = fs::read(folder.join(format!("{}.{feature}.f64", signal.name))).expect("librosa's values are there");
    bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

fn edge_signals() -> Vec<Signal> {
    let sine = |rate: f64, hertz: f64, seconds: f64| -> Vec<f32> {
        let turn = std::f64::consts::TAU * hertz / rate;
        (0..(seconds * rate) as usize).map(|n| (n as f64 * turn).sin() as f32).collect()
    };
    let chord = |rate: f64| -> Vec<f32> {
        let voices = [sine(rate, 220.0, 2.0), sine(rate, 277.18, 2.0), noise(2 * rate as usize)];
        (0..voices[0].len()).map(|n| voices.iter().map(|voice| voice[n]).sum::<f32>() / 3.0).collect()
    };
    let mut impulse = vec![0.0; 10_000];
    impulse[5000] = 1.0;
    let square = sine(44_100.0, 441.3, 1.0).into_iter().map(f32::signum).collect();
    let burst = [vec![0.0; 20_000], noise(3000), vec![0.0; 20_000], sine(48_000.0, 1000.0, 0.2)].concat();
    let quiet = noise(20_000).into_iter().map(|sample| sample * 1e-4).collect();
    let mut signals = vec![
        Signal::new("silence", 48_000.0, vec![0.0; 10_000]),
        Signal::new("impulse", 48_000.0, impulse),
        Signal::new("square", 44_100.0, square),
        Signal::new("noise", 44_100.0, noise(30_000)),
        Signal::new("quiet", 44_100.0, quiet),
        Signal::new("burst", 48_000.0, burst),
        Signal::new("negative", 48_000.0, vec![-1.0; 5000]),
        Signal::new("chord-8k", 8_000.0, chord(8_000.0)),
        Signal::new("chord-48k", 48_000.0, chord(48_000.0)),
        Signal::new("chord-96k", 96_000.0, chord(96_000.0)),
        Signal::new("one", 48_000.0, vec![0.5]),
        Signal::new("hundred", 48_000.0, noise(100)),
        Signal::new("below-a-frame", 48_000.0, noise(2047)),
        Signal::new("a-frame", 48_000.0, noise(2048)),
    ];
    let other = Settings { n_fft: 1024, hop_length: 300, n_mels: 64, mfcc_n: 20, chroma_n: 24, ..Settings::new(32_000.0) };
    signals.push(Signal { name: "other-settings".into(), settings: other, samples: chord(32_000.0) });
    let apart = Settings { n_fft: 512, hop_length: 700, n_mels: 40, chroma_n: 17, ..Settings::new(44_100.0) };
    signals.push(Signal { name: "frames-apart".into(), settings: apart, samples: chord(44_100.0) });
    signals
}

/// White noise, the same each time.
fn noise(samples: usize) -> Vec<f32> {
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as i32 as f32 / i32::MAX as f32
    });
    noise.take(samples).collect()
}

/// The first seconds of some tunes, at two sample rates.
fn tunes() -> Result<Vec<Signal>, String> {
    let files = fs::read_dir(TUNES).map_err(|error| format!("{TUNES}: {error}"))?;
    let mut files: Vec<PathBuf> = files.filter_map(|file| file.ok().map(|file| file.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "mid"));
    files.sort();
    let rates = [44_100, 48_000];
    files.iter().take(TUNE_COUNT).enumerate().map(|(n, file)| render(file, rates[n % rates.len()])).collect()
}

/// Renders as much of a tune as is wanted: FluidSynth ends when nobody reads on.
fn render(tune: &Path, rate: u32) -> Result<Signal, String> {
    let mut synth = Command::new("fluidsynth")
        .args(["-ni", "-q", "-r", &rate.to_string(), "-O", "s16", "-T", "raw", "-F", "-", SOUNDFONT])
        .arg(tune)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("fluidsynth does not start: {error}"))?;
    let mut bytes = vec![0; 4 * rate as usize * TUNE_SECONDS];
    let read = synth.stdout.take().expect("stdout is a pipe").read_exact(&mut bytes);
    // It may have ended by itself.
    let _ = synth.kill();
    synth.wait().map_err(|error| error.to_string())?;
    read.map_err(|error| format!("fluidsynth did not render {}: {error}", tune.display()))?;
    let stereo: Vec<f32> = bytes.as_chunks().0.iter().map(|bytes| f32::from(i16::from_le_bytes(*bytes)) / 32_768.0).collect();
    let mut samples = Vec::new();
    mix_down(&stereo, 2, &mut samples);
    let name = tune.file_stem().unwrap_or_default().to_string_lossy();
    Ok(Signal::new(&name, f64::from(rate), samples))
}
