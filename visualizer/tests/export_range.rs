//! `E` hands the marked range of a recording to the real `send-learn export --range`, and `G` to `send-learn plot`.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use common::studio::{self, Studio};
use send_learn_protocol::packet::hello::Description;
use send_learn_visualizer::choice::Choice;
use send_learn_visualizer::export::{self, Recording, Running, Saying, SayingLine};
use send_learn_visualizer::hud::timeline::Marked;
use send_learn_visualizer::moment::Moment;
use send_learn_visualizer::source::{Mailbox, ReplaySource, StreamKey};
use send_learn_visualizer::stream::Stream;

/// Names the recording to the process that plays the view.
const VIEW: &str = "SEND_LEARN_TEST_VIEW";
const PATIENCE: Duration = Duration::from_secs(60);

/// Presses a key over `recording`, and waits until what it starts has ended.
fn press(key: KeyCode, recording: &Path) -> String {
    let source = ReplaySource::start(recording, Mailbox::default()).unwrap();
    let takes = source.recorded().to_vec();
    let stream = Description { stream: takes[0].stream, ..common::description("Ramp") };
    let mut app = App::new();
    app.add_plugins(MinimalPlugins)
        .init_resource::<ButtonInput<KeyCode>>()
        .init_resource::<Moment>()
        .init_resource::<Choice>()
        .init_resource::<Saying>()
        .insert_resource(Marked { from: Some(1.0), to: Some(2.5) })
        .insert_resource(Recording { path: recording.to_owned(), takes })
        .add_systems(Update, (export::keys, export::update).chain());
    app.world_mut().spawn((SayingLine, Node::default(), children![Text::default()]));
    app.world_mut().spawn(Stream::new(StreamKey { receiver: 0, connection: 1, take: 0 }, stream));
    app.world_mut().resource_mut::<ButtonInput<KeyCode>>().press(key);
    app.update();
    app.world_mut().resource_mut::<ButtonInput<KeyCode>>().clear();
    let until = Instant::now() + PATIENCE;
    while app.world().contains_resource::<Running>() {
        assert!(Instant::now() < until, "the export does not end");
        std::thread::sleep(Duration::from_millis(10));
        app.update();
    }
    app.world().resource::<Saying>().words().to_owned()
}

#[test]
fn e_exports_the_marked_range_and_g_draws_it() {
    if let Some(recording) = std::env::var_os(VIEW) {
        for key in [KeyCode::KeyE, KeyCode::KeyG] {
            let words = press(key, Path::new(&recording));
            assert!(words.starts_with("exported to send-learn-range-"), "{words}");
        }
        return;
    }
    let Some(programs) = studio::programs() else { return };
    let studio = Studio::start(&programs);
    let (wav, midi) = (studio.file("ramp.wav"), studio.file("note.mid"));
    studio::write_wav(&wav, &(0..4 * 2 * 48_000).map(|at| (at % 30_000) as i16).collect::<Vec<_>>());
    studio::write_midi(&midi);
    studio.record(&[("--wav", &wav), ("--midi", &midi)]);
    // The view looks for the program beside itself and where the system does, and writes where it was started.
    let here = studio.file("here");
    fs::create_dir(&here).unwrap();
    let path = std::env::join_paths([programs.as_path()]).unwrap();
    let mut view = Command::new(std::env::current_exe().unwrap());
    view.args(["e_exports_the_marked_range_and_g_draws_it", "--exact", "--nocapture"])
        .env(VIEW, studio.data())
        .env("PATH", path)
        .current_dir(&here);
    assert!(view.status().unwrap().success());

    let exported = files(&here);
    let ends = |ending: &str| exported.iter().find(|path| path.to_string_lossy().ends_with(ending)).cloned();
    assert!(ends(".mid").is_some(), "no MIDI is exported: {exported:?}");
    let picture = fs::read(ends(".png").expect("no picture is drawn")).unwrap();
    assert_eq!(&picture[1..4], b"PNG");
    let sound = fs::read(ends(".flac").expect("no sound is exported")).unwrap();
    // STREAMINFO is the first block: 36 bits of it, from its byte 13 on, count the samples (RFC 9639, section 8.2).
    let info = &sound[8..];
    let samples = info[14..18].iter().fold(u64::from(info[13] & 0xF), |count, byte| count << 8 | u64::from(*byte));
    assert_eq!((&sound[..4], samples), (b"fLaC".as_slice(), 72_000), "a second and a half");
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let items = fs::read_dir(folder).unwrap().map(|item| item.unwrap().path());
    items.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
