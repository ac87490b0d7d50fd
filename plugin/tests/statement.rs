//! What a person says about consent holds for what is played from then on: each recording carries the words that held when it
//! was made, and nothing is lost where they change.
#![allow(unsafe_code, reason = "the check of allocations is a global allocator")]

#[path = "common/workstation.rs"]
mod workstation;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;

use nice_assert_no_alloc::assert_no_alloc;
use nice_plug::prelude::{BufferConfig, Plugin, PluginApi, ProcessMode};
use send_learn_plugin::capture::{Captures, Wanted};
use send_learn_plugin::clock;
use send_learn_plugin::instance::{Instance, Scope};
use send_learn_plugin::params::SendParams;
use send_learn_plugin::plugin::SendLearn;
use send_learn_plugin::report::LinkState;
use send_learn_plugin::settings::{Privately, Settings, Statement};
use send_learn_plugin::transport::Observed;
use send_learn_protocol::packet::hello::PropertyKey;
use send_learn_protocol::record::EndReason;
use send_learn_protocol::units::TakeId;
use workstation::{Taken, Workstation, decode, same_bits, wait_until};

#[cfg(not(feature = "allocation-check"))]
#[global_allocator]
static ALLOCATOR: nice_assert_no_alloc::AllocDisabler = nice_assert_no_alloc::AllocDisabler;

const BLOCK: u32 = 256;

/// Set in the process that runs a test in a configuration folder of its own.
const CHILD: &str = "SEND_LEARN_TEST_CHILD";

/// Runs the test of this name again in another process, whose settings are in a folder of their own. True in that process.
fn has_settings_of_its_own(test: &str) -> bool {
    if std::env::var_os(CHILD).is_some() {
        return true;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", test, "--nocapture"]).env(CHILD, "1");
    child.env("SEND_LEARN_CAPTURE_OFFLINE", "1").env("XDG_CONFIG_HOME", folder.path()).env("HOME", folder.path());
    child.env("APPDATA", folder.path());
    assert!(child.status().unwrap().success(), "see above");
    false
}

/// A track that plays.
struct Track {
    instance: Arc<Instance>,
    captures: Captures,
    played: u64,
}

impl Track {
    fn new(name: &str, workstation: &Workstation) -> Self {
        let instance = Instance::new(Arc::new(SendParams::default()));
        *instance.params.server.write() = workstation.address.to_string();
        instance.set_name(name);
        let buffer = BufferConfig {
            sample_rate: 48_000.0,
            min_buffer_size: None,
            max_buffer_size: BLOCK,
            process_mode: ProcessMode::Realtime,
        };
        let captures = instance.activate(&SendLearn::AUDIO_IO_LAYOUTS[0], &buffer, PluginApi::Standalone).unwrap();
        Self { instance, captures, played: 0 }
    }

    /// What the plugin's audio thread does, without allocating anything.
    fn play(&mut self, blocks: u64) {
        for _ in 0..blocks {
            let range = self.played..self.played + u64::from(BLOCK);
            let channels: [Vec<f32>; 2] = [1.0, -1.0].map(|sign| range.clone().map(|n| sample(n) * sign).collect());
            assert_no_alloc(|| {
                self.captures.follow(self.instance.succession());
                let capture = self.captures.current();
                capture.begin(BLOCK, clock::now(), &Observed::default(), Wanted::Captured);
                capture.end(&channels);
            });
            self.played = range.end;
        }
    }

    fn says(&self, consent: &str, scope: Scope) {
        let statement = Statement { contributor: "Anna".to_owned(), licence: "CC0-1.0".to_owned(), consent: consent.to_owned() };
        self.instance.state(statement, scope, Privately::Mark).unwrap();
    }

    fn stop(self) {
        self.captures.finish(EndReason::Deactivated);
        self.instance.deactivate();
        wait_until("durable", || {
            self.instance.report().is_some_and(|report| report.link == LinkState::Finished && report.older_takes == 0)
        });
    }
}

fn sample(position: u64) -> f32 {
    (position % 1_009) as f32 / 1_009.0 - 0.5
}

/// What a stream's takes say of consent, and their samples, in the order in which they were played.
fn told(takes: &BTreeMap<TakeId, Taken>, name: &str) -> (Vec<(String, usize)>, Vec<f32>) {
    let mut of_stream: Vec<&Taken> =
        takes.values().filter(|taken| taken.description.as_ref().unwrap().property(PropertyKey::NAME) == name).collect();
    of_stream.sort_by_key(|taken| taken.description.as_ref().unwrap().started);
    let (mut told, mut samples) = (Vec::new(), Vec::new());
    for taken in of_stream {
        let decoded = decode(taken);
        assert!(decoded.gaps.is_empty() && decoded.end.is_some());
        let blocks = decoded.samples.len() / 2 / BLOCK as usize;
        told.push((taken.description.as_ref().unwrap().property(PropertyKey::CONSENT).to_owned(), blocks));
        samples.extend(decoded.samples);
    }
    (told, samples)
}

fn expected(blocks: u64) -> Vec<f32> {
    (0..blocks * u64::from(BLOCK)).flat_map(|n| [sample(n), -sample(n)]).collect()
}

fn said(words: &[(&str, usize)]) -> Vec<(String, usize)> {
    words.iter().map(|(words, blocks)| ((*words).to_owned(), *blocks)).collect()
}

#[test]
fn each_take_carries_the_words_that_held_and_no_sample_is_lost_where_they_change() {
    if !has_settings_of_its_own("each_take_carries_the_words_that_held_and_no_sample_is_lost_where_they_change") {
        return;
    }
    let workstation = Workstation::start(0);
    let mut track = Track::new("Keys", &workstation);
    track.play(30);
    track.says("yes", Scope::Everywhere);
    track.play(20);
    track.says("yes", Scope::Everywhere);
    track.play(5);
    // Only the last word counts when nothing is played in between.
    track.says("maybe", Scope::Everywhere);
    track.says("no", Scope::Everywhere);
    track.play(10);
    track.stop();
    let takes = workstation.finish();
    let (words, samples) = told(&takes, "Keys");
    assert_eq!(words, said(&[("", 30), ("yes", 25), ("no", 10)]));
    assert!(same_bits(&samples, &expected(65)));
    assert!(Settings::load().unwrap().asked && Settings::load().unwrap().statement.refuses());
}

#[test]
fn what_is_said_everywhere_holds_for_all_tracks_but_those_with_words_of_their_own() {
    if !has_settings_of_its_own("what_is_said_everywhere_holds_for_all_tracks_but_those_with_words_of_their_own") {
        return;
    }
    let workstation = Workstation::start(0);
    let (mut keys, mut voice) = (Track::new("Keys", &workstation), Track::new("Voice", &workstation));
    let play = |keys: &mut Track, voice: &mut Track| {
        keys.play(3);
        voice.play(3);
    };
    play(&mut keys, &mut voice);
    keys.says("yes", Scope::Everywhere);
    play(&mut keys, &mut voice);
    voice.says("no", Scope::Track);
    play(&mut keys, &mut voice);
    keys.says("yes, also for money", Scope::Everywhere);
    play(&mut keys, &mut voice);
    assert_eq!(voice.instance.params.statement.read().as_ref().unwrap().consent, "no", "the project keeps it");
    keys.stop();
    voice.stop();
    let takes = workstation.finish();
    assert_eq!(told(&takes, "Keys").0, said(&[("", 3), ("yes", 6), ("yes, also for money", 3)]));
    let (words, samples) = told(&takes, "Voice");
    assert_eq!(words, said(&[("", 3), ("yes", 3), ("no", 6)]));
    assert!(same_bits(&samples, &expected(12)));
}

#[test]
fn with_settings_that_cannot_be_read_nothing_is_said_and_what_is_private_stays_here() {
    if !has_settings_of_its_own("with_settings_that_cannot_be_read_nothing_is_said_and_what_is_private_stays_here") {
        return;
    }
    Settings::change(|settings| settings.statement.consent = "yes".to_owned()).unwrap();
    let file = walk(std::env::var_os("HOME").unwrap().into()).into_iter().find(|path| path.ends_with("plugin.toml")).unwrap();
    let text = std::fs::read_to_string(&file).unwrap() + "no";
    std::fs::write(&file, &text).unwrap();
    let workstation = Workstation::start(0);
    let mut track = Track::new("Keys", &workstation);
    assert!(track.instance.withholds_private());
    track.play(3);
    let refused = track.instance.state(Statement::default(), Scope::Everywhere, Privately::Mark).unwrap_err().to_string();
    assert!(refused.contains("plugin.toml is not understood: line"), "{refused}");
    track.stop();
    assert_eq!(told(&workstation.finish(), "Keys").0, said(&[("", 3)]));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "it is left for the person to mend");
}

fn walk(folder: std::path::PathBuf) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(path) } else { vec![path] }).collect()
}
