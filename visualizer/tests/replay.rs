//! Recordings of the real receiver, replayed: what comes is what was recorded.

mod common;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use common::studio::{self, Studio};
use send_learn_visualizer::source::{Event, Link, Mailbox, ReplaySource};

const PATIENCE: Duration = Duration::from_secs(20);
const SECONDS: usize = 16;

/// Noise of 16 bits, stereo.
fn noise(seconds: usize) -> Vec<i16> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 18) as i16
    };
    (0..seconds * 48_000 * 2).map(|_| next()).collect()
}

/// Everything up to `seconds` of the recording at `path`, shown from there on.
fn replayed(source: &ReplaySource, mailbox: &Mailbox, round: u32, seconds: f64) -> Vec<Event> {
    let control = source.control();
    control.ask(round, seconds);
    let until = Instant::now() + PATIENCE;
    let mut events = Vec::new();
    // The source waits for room in the mailbox.
    while !control.wait(Duration::from_millis(5)) {
        assert!(Instant::now() < until, "the replay does not come: {} events", events.len());
        events.extend(mailbox.take());
    }
    events.extend(mailbox.take());
    events
}

/// The samples of one take in `events`, interleaved, and the position of the first.
fn samples(events: &[Event]) -> (u64, Vec<f32>) {
    let mut first = None;
    let mut all = Vec::new();
    for event in events {
        if let Event::Audio { position, samples, .. } = event {
            let first = *first.get_or_insert(position.0);
            assert_eq!(position.0, first + all.len() as u64 / 2, "in order, and without holes");
            all.extend_from_slice(samples);
        }
    }
    (first.unwrap_or_default(), all)
}

fn open(path: &Path) -> (ReplaySource, Mailbox) {
    let mailbox = Mailbox::default();
    (ReplaySource::start(path, mailbox.clone()).unwrap(), mailbox)
}

#[test]
fn a_recording_is_replayed_bit_for_bit_up_to_the_moment_that_is_asked_for() {
    let Some(programs) = studio::programs() else { return };
    let studio = Studio::start(&programs);
    let (wav, midi) = (studio.file("noise.wav"), studio.file("note.mid"));
    let noise = noise(SECONDS);
    studio::write_wav(&wav, &noise);
    studio::write_midi(&midi);
    studio.record(&[("--wav", &wav), ("--midi", &midi)]);

    let (source, mailbox) = open(&studio.data());
    assert!((source.control().length() - SECONDS as f64).abs() < 0.1, "{} s", source.control().length());
    let expected: Vec<f32> = noise.iter().map(|sample| f32::from(*sample) / 32_768.0).collect();

    let events = replayed(&source, &mailbox, 1, 1.0);
    assert_eq!(events[0], Event::Link { receiver: 0, link: Link::Connected });
    assert!(matches!(&events[1], Event::StreamUp { description, .. } if description.channels == 2));
    assert_eq!(samples(&events), (0, expected[..96_000].to_vec()));
    let notes = events.iter().filter_map(|event| if let Event::Midi { message, .. } = event { Some(message) } else { None });
    let notes: Vec<_> = notes.map(|message| (message.position.0, message.bytes)).collect();
    assert_eq!(notes, [(24_000, [0x90, 69, 100])], "its end is at one second, and still to come");
    let tempo =
        events.iter().find_map(|event| if let Event::Transport { transport, .. } = event { Some(transport.tempo) } else { None });
    assert_eq!(tempo, Some(120.0));
    assert!(events.iter().any(|event| matches!(event, Event::Health { health, .. } if health.level == 1.0 && health.loss == 0.0)));

    // Time goes on: only what is new comes.
    let events = replayed(&source, &mailbox, 1, 2.5);
    assert_eq!(samples(&events), (48_000, expected[96_000..240_000].to_vec()));
    // A jump: what the picture shows of the time before comes with it, as another take.
    let events = replayed(&source, &mailbox, 2, 15.0);
    assert_eq!(samples(&events), (3 * 48_000, expected[3 * 96_000..15 * 96_000].to_vec()));
    let ends = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::StreamDown { .. })).count();
    assert_eq!(ends(&events), 1, "the round before ends");
    assert_eq!(ends(&replayed(&source, &mailbox, 2, 1e9)), 1, "and so does the recording");
}

#[test]
fn a_recording_that_is_cut_off_is_replayed_as_far_as_it_goes() {
    let Some(programs) = studio::programs() else { return };
    let mut studio = Studio::start(&programs);
    let wav = studio.file("noise.wav");
    studio::write_wav(&wav, &noise(SECONDS));
    let mut sender = studio.sender().arg("--wav").arg(&wav).spawn().unwrap();
    // The receiver is killed in the middle: its file was never closed.
    let until = Instant::now() + PATIENCE;
    let mut part = Vec::new();
    while part.is_empty() || fs::metadata(&part[0]).unwrap().len() < 400_000 {
        assert!(Instant::now() < until, "nothing is recorded");
        std::thread::sleep(Duration::from_millis(50));
        part = studio.recorded(".h5.part");
    }
    studio.kill();
    sender.kill().unwrap();
    sender.wait().unwrap();
    let (source, mailbox) = open(&studio.data());
    let length = source.control().length();
    assert!(length > 0.3 && length < SECONDS as f64, "{length} s");
    let (first, found) = samples(&replayed(&source, &mailbox, 1, length));
    let expected: Vec<f32> = noise(SECONDS).iter().map(|sample| f32::from(*sample) / 32_768.0).collect();
    assert_eq!((first, found.len()), (0, (length * 96_000.0).round() as usize));
    assert_eq!(found, expected[..found.len()]);
}

#[test]
fn a_file_that_is_cut_short_is_named_and_the_others_are_replayed() {
    let Some(programs) = studio::programs() else { return };
    let studio = Studio::start(&programs);
    let wav = studio.file("noise.wav");
    studio::write_wav(&wav, &noise(3));
    studio.record(&[("--wav", &wav)]);
    let good = studio.recorded(".h5").remove(0);
    let short = good.with_file_name("short-0001.h5");
    let bytes = fs::read(&good).unwrap();
    for len in [0, 3, 200, bytes.len() / 3, bytes.len() - 1] {
        fs::write(&short, &bytes[..len]).unwrap();
        let error = ReplaySource::start(&short, Mailbox::default()).map(|_| ()).expect_err("a cut file").to_string();
        assert!(error.contains("short-0001.h5") && error.contains("cut off"), "{len} bytes: {error}");
    }
    let (source, mailbox) = open(&studio.data());
    let events = replayed(&source, &mailbox, 1, 1.0);
    assert!(events.iter().any(|event| matches!(event, Event::Notice(words) if words.contains("short-0001.h5"))), "{events:?}");
    assert_eq!(samples(&events).1.len(), 96_000);
}

#[test]
fn what_is_no_recording_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let words = |path: &Path| ReplaySource::start(path, Mailbox::default()).map(|_| ()).expect_err("nothing to replay").to_string();
    assert!(words(folder.path()).contains("holds no recording"));
    assert!(words(&folder.path().join("none.h5")).contains("none.h5"));
    let text = folder.path().join("text.h5");
    fs::write(&text, "not HDF5").unwrap();
    assert!(words(&text).contains("cannot be read"));
}

#[test]
fn the_thread_ends_when_the_source_is_dropped() {
    let Some(programs) = studio::programs() else { return };
    let studio = Studio::start(&programs);
    let wav = studio.file("noise.wav");
    studio::write_wav(&wav, &noise(3));
    studio.record(&[("--wav", &wav)]);
    let (source, mailbox) = open(&studio.data());
    let control = source.control();
    drop(source);
    assert!(mailbox.is_closed());
    control.ask(1, 2.0);
    assert!(!control.wait(Duration::from_millis(200)), "nobody answers");
}
