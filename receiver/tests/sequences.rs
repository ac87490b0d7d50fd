//! Which windows become sequences, what is left out, and that what belongs together stays together.

#[path = "common/takes.rs"]
mod takes;

use std::collections::{BTreeMap, BTreeSet};

use send_learn::export::Contents;
use send_learn::sequences::{Plan, Planned, Reason, Sequence, Settings, Split, Workshop};
use send_learn::source::Sources;
use send_learn::store::layout::{ClockRow, GapRow};
use takes::{RATE, Take, marker, melody, sample, take, written};

fn sequences(sources: &Sources, settings: &Settings) -> Vec<Sequence> {
    let plan = Plan::new(sources, settings);
    assert!(plan.broken.is_empty(), "{:?}", plan.broken);
    let workshop = Workshop::new(sources, settings, true);
    plan.sequences.iter().map(|planned| workshop.prepare(planned).unwrap()).collect()
}

fn left_out(sources: &Sources, settings: &Settings) -> BTreeMap<Reason, u64> {
    Plan::new(sources, settings).left_out
}

#[test]
fn a_take_is_cut_into_windows_that_overlap_and_hold_its_very_samples_and_notes() {
    let (_data, sources) = written(&[take(1)]);
    let cut = sequences(&sources, &Settings::default());
    let begins: Vec<u64> = cut.iter().map(|sequence| sequence.about.first_sample / RATE).collect();
    assert_eq!(begins, [0, 25, 50]);
    for sequence in &cut {
        let about = &sequence.about;
        assert_eq!((about.frames, about.channels, about.split), (30 * RATE, 2, Split::Train));
        let expected =
            (about.first_sample..about.first_sample + about.frames).flat_map(|at| [0, 1].map(|channel| sample(1, at, channel)));
        assert!(sequence.audio.iter().copied().eq(expected));
        let expected: Vec<(u64, u8)> = melody(1, 100)
            .into_iter()
            .filter_map(|(at, key)| Some((at.checked_sub(about.first_sample)?, key)))
            .filter(|(at, _)| *at < about.frames)
            .collect();
        let notes: Vec<(u64, u8)> =
            sequence.music.notes.iter().filter(|note| !note.held).map(|note| (note.onset, note.pitch)).collect();
        assert_eq!(notes, expected);
        assert_eq!((about.notes, about.midi_events), (60, 120));
        assert_eq!(about.tempo, Some(120.0));
        assert_eq!(about.meter.as_deref(), Some("4/4"));
        assert_eq!(about.ppq, Some(about.first_sample as f64 / RATE as f64 * 2.0));
        assert_eq!(about.note_sources[0].alignment, "same-stream");
        assert_eq!(sequence.features.frames as u64, 1 + about.frames / 512);
    }
}

#[test]
fn a_range_is_cut_to_the_sample_and_nothing_beside_it() {
    let (_data, sources) = written(&[take(1)]);
    let range = |from: f64, to: f64| Settings {
        range: Some((from, to)),
        sequence_length: to - from,
        overlap: 0.0,
        min_midi_events: 0,
        ..Settings::default()
    };
    let cut = sequences(&sources, &range(12.5, 20.25));
    assert_eq!(cut.len(), 1);
    let about = &cut[0].about;
    assert_eq!((about.first_sample, about.frames), (25 * RATE / 2, 31 * RATE / 4));
    assert_eq!(cut[0].audio[0], sample(1, 25 * RATE / 2, 0));
    assert_eq!(left_out(&sources, &range(90.0, 110.0)), BTreeMap::from([(Reason::OffRange, 1)]), "the take ends at 100 s");
}

#[test]
fn what_must_not_be_taken_is_left_out_and_counted_by_its_reason() {
    let gap = |second: u64, reason| GapRow { sample: second * RATE, frames: RATE / 10, reason };
    let settings = Settings::default();
    // Windows begin at 0, 25 and 50 s.
    let one = |change: &dyn Fn(&mut Take)| {
        let mut take = take(1);
        change(&mut take);
        let (_data, sources) = written(&[take]);
        (Plan::new(&sources, &settings).sequences.len(), left_out(&sources, &settings))
    };
    assert_eq!(one(&|take| take.gaps = vec![gap(10, 1)]), (2, BTreeMap::from([(Reason::Gap, 1)])));
    assert_eq!(one(&|take| take.gaps = vec![gap(27, 1)]), (1, BTreeMap::from([(Reason::Gap, 2)])));
    assert_eq!(one(&|take| take.gaps = vec![gap(60, 2)]), (2, BTreeMap::from([(Reason::Bypass, 1)])));
    assert_eq!(
        one(&|take| take.markers = vec![marker(10 * RATE, 6), marker(11 * RATE, 7)]),
        (2, BTreeMap::from([(Reason::Private, 1)]))
    );
    assert_eq!(one(&|take| take.markers = vec![marker(79 * RATE, 6)]), (2, BTreeMap::from([(Reason::Private, 1)])));
    assert_eq!(one(&|take| take.gaps = vec![gap(60, 7)]), (2, BTreeMap::from([(Reason::CaptureOff, 1)])));
    assert_eq!(one(&|take| take.gaps = vec![gap(60, 8)]), (2, BTreeMap::from([(Reason::Private, 1)])));
    assert_eq!(one(&|take| take.consent = ""), (0, BTreeMap::from([(Reason::Consent, 3)])));
    assert_eq!(one(&|take| take.consent = "No, thanks."), (0, BTreeMap::from([(Reason::Refused, 3)])));
    assert_eq!(one(&|take| take.notes.retain(|(at, _)| *at > 28 * RATE)), (2, BTreeMap::from([(Reason::FewEvents, 1)])));
    assert_eq!(one(&|take| take.notes.clear()), (0, BTreeMap::from([(Reason::FewEvents, 3)])));
    assert_eq!(one(&|take| take.seconds = 3), (0, BTreeMap::from([(Reason::ShortTake, 1)])));
}

#[test]
fn nothing_sounds_or_holds_on_behind_what_is_left_out() {
    // Windows begin at 0, 25 and 50 s; the first meets the stretch from 20 to 22 s.
    let gap = |reason| Take { gaps: vec![GapRow { sample: 20 * RATE, frames: 2 * RATE, reason }], ..take(1) };
    let private = Take { markers: vec![marker(20 * RATE, 6), marker(22 * RATE, 7)], ..take(1) };
    for (what, mut take) in [("lost", gap(3)), ("capture off", gap(7)), ("private", private)] {
        // The note before it ends in it; the pedal goes down in it, and two notes and a program begin there.
        let messages: [(u64, [u8; 3]); 5] = [
            (20 * RATE - 10, [0x91, 110, 99]),
            (20 * RATE + 10, [0xB1, 64, 127]),
            (21 * RATE, [0x91, 111, 99]),
            (21 * RATE, [0xC1, 42, 0]),
            (70 * RATE, [0x81, 111, 0]),
        ];
        take.messages = messages.to_vec();
        let (_data, sources) = written(&[take]);
        let cut = sequences(&sources, &Settings::default());
        assert_eq!(cut.iter().map(|sequence| sequence.about.first_sample / RATE).collect::<Vec<_>>(), [25, 50], "{what}");
        for Sequence { music, .. } in &cut {
            assert!(music.notes.iter().all(|note| note.channel == 0), "{what}: {:?}", music.notes);
            assert_eq!(music.controls, [], "{what}");
        }
    }
}

/// A mark that something is private may be lost with entries of the log. It stands again within two seconds.
#[test]
fn two_seconds_after_lost_entries_count_as_missing() {
    let left = |change: &dyn Fn(&mut Take)| {
        let mut take = take(1);
        change(&mut take);
        let (_data, sources) = written(&[take]);
        left_out(&sources, &Settings::default())
    };
    // Windows begin at 0, 25 and 50 s.
    let gap = |reason| vec![GapRow { sample: 23 * RATE + 1, frames: 10, reason }];
    assert_eq!(left(&|take| take.gaps = gap(1)), BTreeMap::from([(Reason::Gap, 1)]), "the ring was full: no entry is lost");
    assert_eq!(left(&|take| take.gaps = gap(3)), BTreeMap::from([(Reason::Gap, 2)]));
    assert_eq!(left(&|take| take.markers = vec![marker(23 * RATE + 1, 255)]), BTreeMap::from([(Reason::Gap, 2)]));
    assert_eq!(left(&|take| take.markers = vec![marker(23 * RATE, 255)]), BTreeMap::from([(Reason::Gap, 1)]));
}

#[test]
fn ones_own_recordings_need_no_consent_but_a_refusal_holds() {
    let settings = Settings { own: true, ..Settings::default() };
    for (consent, expected) in [("", 3), ("no", 0), ("No.", 0), ("refused", 0), ("nein", 0), ("not given", 0)] {
        let (_data, sources) = written(&[Take { consent, ..take(1) }]);
        assert_eq!(Plan::new(&sources, &settings).sequences.len(), expected, "consent {consent:?}");
    }
}

#[test]
fn midi_and_audio_of_one_host_are_paired_to_the_sample() {
    // The instrument's MIDI on one stream, its audio on another that was activated 1,234 samples later.
    let midi = Take { number: 1, channels: 0, host: 9, machine: 9, begins: 0.0, host_nanos: 0, ..take(1) };
    let late = 1_234_u64;
    let audio = Take {
        number: 2,
        host: 9,
        machine: 9,
        begins: late as f64 / RATE as f64,
        host_nanos: late * 1_000_000_000 / RATE + 300_000,
        playhead: Some(late as i64),
        notes: Vec::new(),
        ..take(2)
    };
    let (_data, sources) = written(&[midi, audio]);
    let cut = sequences(&sources, &Settings::default());
    assert_eq!(cut.len(), 3, "{:?}", cut.iter().map(|sequence| &sequence.about.id).collect::<Vec<_>>());
    for sequence in cut {
        let about = &sequence.about;
        assert_eq!(about.channels, 2);
        let source = &about.note_sources[0];
        assert_eq!((source.alignment.as_str(), source.uncertainty_seconds), ("playhead", 0.0));
        let begin = about.first_sample + late;
        let expected: Vec<u64> = melody(1, 100)
            .into_iter()
            .map(|(at, _)| at)
            .filter(|at| (begin..begin + about.frames).contains(at))
            .map(|at| at - begin)
            .collect();
        let onsets: Vec<u64> = sequence.music.notes.iter().filter(|note| !note.held).map(|note| note.onset).collect();
        assert_eq!(onsets, expected);
    }
}

#[test]
fn midi_of_another_machine_is_paired_by_the_clocks_and_says_how_sure_it_is() {
    let row = |host_nanos: u64, offset_nanos| ClockRow {
        sample: 0,
        host_nanos,
        offset_nanos,
        round_trip_nanos: 400_000,
        uncertainty_nanos: 200_000,
        drift_ppb: 0.0,
    };
    // Both clocks read differently by 5 s; the audio began half a second later.
    let midi = Take { channels: 0, begins: 0.0, host_nanos: 10_000_000_000, clock: vec![row(10_000_000_000, 0)], ..take(1) };
    let audio = Take {
        begins: 0.5,
        host_nanos: 15_500_000_000,
        clock: vec![row(15_500_000_000, -5_000_000_000)],
        notes: Vec::new(),
        ..take(2)
    };
    let (_data, sources) = written(&[midi, audio]);
    let cut = sequences(&sources, &Settings::default());
    assert!(!cut.is_empty());
    for sequence in cut {
        let source = &sequence.about.note_sources[0];
        assert_eq!(source.alignment, "clock");
        assert!((source.uncertainty_seconds - 0.0204).abs() < 1e-9, "{}", source.uncertainty_seconds);
        let begin = sequence.about.first_sample + RATE / 2;
        let expected = melody(1, 100).into_iter().map(|(at, _)| at).find(|at| *at >= begin).unwrap() - begin;
        let first = sequence.music.notes.iter().find(|note| !note.held).unwrap().onset;
        assert!(first.abs_diff(expected) <= 1, "{first} is not {expected}");
    }
}

#[test]
fn a_sample_clock_that_runs_slow_leaves_no_note_behind() {
    let row = |host_nanos, offset_nanos| ClockRow {
        sample: 0,
        host_nanos,
        offset_nanos,
        round_trip_nanos: 400_000,
        uncertainty_nanos: 200_000,
        drift_ppb: 0.0,
    };
    for second in [1.001, 0.999] {
        let clock = vec![row(10_000_000_000, 0)];
        let midi = Take { channels: 0, begins: 0.0, host_nanos: 10_000_000_000, second, clock, ..take(1) };
        let clock = vec![row(15_500_000_000, -5_000_000_000)];
        let audio = Take { begins: 0.5, host_nanos: 15_500_000_000, clock, notes: Vec::new(), ..take(2) };
        let (_data, sources) = written(&[midi, audio]);
        let cut = sequences(&sources, &Settings::default());
        assert!(cut.len() >= 2, "{}", cut.len());
        for Sequence { about, music, .. } in cut {
            let source = &about.note_sources[0];
            let uncertainty = source.uncertainty_seconds;
            assert!(source.alignment == "clock" && (0.0204..0.0232).contains(&uncertainty), "{source:?}");
            // Each second of samples begins where the clock says; within it the blocks' delay may be drift.
            let expected = |at: u64| at as f64 * second - (about.first_sample + RATE / 2) as f64;
            for note in music.notes.iter().filter(|note| !note.held) {
                let onsets = melody(1, 100).into_iter().filter(|(_, key)| *key == note.pitch).map(|(at, _)| expected(at));
                let off = onsets.map(|onset| (onset - note.onset as f64).abs()).fold(f64::MAX, f64::min);
                assert!(off <= 100.0, "{second}: the note at {} is {off} samples off", note.onset);
            }
        }
    }
}

/// The studio's second machine believes that it is another minute; the receiver's clock knows better.
#[test]
fn machines_whose_wall_clocks_differ_are_paired_by_the_receivers_clock() {
    let alignments = |off: f64| {
        let row = |host_nanos, offset_nanos| ClockRow {
            sample: 0,
            host_nanos,
            offset_nanos,
            round_trip_nanos: 400_000,
            uncertainty_nanos: 200_000,
            drift_ppb: 0.0,
        };
        let (midi, audio) = (1_000_000_000_000, 7_000_000_000);
        let midi = Take { channels: 0, begins: 1000.0, host_nanos: midi, clock: vec![row(midi, 0)], ..take(1) };
        let clock = vec![row(audio, 993_500_000_000)];
        let audio = Take { begins: 1000.5 + off, host_nanos: audio, clock, notes: Vec::new(), ..take(2) };
        let (_data, sources) = written(&[midi, audio]);
        let sources = sequences(&sources, &Settings::default()).into_iter().flat_map(|sequence| sequence.about.note_sources);
        sources.map(|source| source.alignment).collect::<BTreeSet<String>>()
    };
    for off in [60.0, -290.0] {
        assert_eq!(alignments(off), BTreeSet::from(["clock".to_owned()]), "{off}");
    }
    assert_eq!(alignments(600.0), BTreeSet::from(["same-stream".to_owned()]), "it may be another run of the clock");
}

#[test]
fn splits_go_by_performance_and_stay_when_others_come() {
    let settings = Settings { validation: 0.25, test: 0.25, seed: 3, ..Settings::default() };
    let sides = |count: u8, settings: &Settings| -> BTreeMap<String, BTreeSet<Split>> {
        let takes: Vec<Take> =
            (1..=count).map(|number| Take { seconds: 56, channels: 1, notes: melody(number, 56), ..take(number) }).collect();
        let (_data, sources) = written(&takes);
        let mut sides: BTreeMap<String, BTreeSet<Split>> = BTreeMap::new();
        for planned in Plan::new(&sources, settings).sequences {
            sides.entry(planned.performance().to_owned()).or_default().insert(planned.split());
        }
        sides
    };
    let (few, many) = (sides(4, &settings), sides(16, &settings));
    assert_eq!((few.len(), many.len()), (4, 16));
    assert!(many.values().all(|sides| sides.len() == 1), "a performance on two sides: {many:?}");
    assert!(few.iter().all(|(performance, sides)| many[performance] == *sides));
    assert_eq!(many.values().flatten().collect::<BTreeSet<_>>().len(), 3, "all three sides are taken: {many:?}");
    assert_ne!(many, sides(16, &Settings { seed: 4, ..settings }));
}

#[test]
fn only_performances_with_sequences_count() {
    let takes = [take(1), Take { consent: "no", ..take(2) }, Take { notes: Vec::new(), ..take(3) }, Take { seconds: 3, ..take(4) }];
    let (_data, sources) = written(&takes);
    let plan = Plan::new(&sources, &Settings::default());
    assert_eq!(plan.sequences.len(), 3);
    assert_eq!(plan.performances.values().sum::<u64>(), 1);
}

#[test]
fn a_performance_that_alone_has_sequences_is_for_training() {
    let settings = Settings { validation: 0.0, test: 1.0, ..Settings::default() };
    let sides = |takes: &[Take]| -> Vec<Split> {
        let (_data, sources) = written(takes);
        let plan = Plan::new(&sources, &settings);
        let sides: BTreeSet<Split> = plan.sequences.iter().map(Planned::split).collect();
        assert!(plan.performances.keys().eq(&sides));
        sides.into_iter().collect()
    };
    assert_eq!(sides(&[take(1)]), [Split::Train]);
    assert_eq!(sides(&[take(1), Take { consent: "no", ..take(2) }]), [Split::Train], "what is left out is no other one");
    assert_eq!(sides(&[take(1), take(2)]), [Split::Test]);
}

#[test]
fn a_take_that_no_whole_window_of_its_session_meets_is_counted() {
    // Windows begin at 0, 25 and 50 s; the second take sounds from 26 to 66 s.
    let second = Take { machine: 1, seconds: 40, begins: 86_426.0, host_nanos: 27_000_000_000, notes: melody(2, 40), ..take(2) };
    let (_data, sources) = written(&[take(1), second]);
    let plan = Plan::new(&sources, &Settings::default());
    assert_eq!((plan.sequences.len(), plan.left_out), (3, BTreeMap::from([(Reason::OffGrid, 1)])));
}

#[test]
fn takes_that_repeat_one_another_stand_on_one_side() {
    // Take 2 plays the notes of take 1 again, on another day.
    let takes = [take(1), Take { notes: melody(1, 100), ..take(2) }, take(3)];
    let (_data, sources) = written(&takes);
    let plan = Plan::new(&sources, &Settings::default());
    assert_eq!(plan.repeats.len(), 1);
    assert_eq!(plan.performances.values().sum::<u64>(), 2);
}

#[test]
fn a_medley_stands_on_the_side_of_every_piece_in_it() {
    let later = |notes: Vec<(u64, u8)>| notes.into_iter().map(|(at, key)| (at + 50 * RATE, key));
    let medley = melody(1, 50).into_iter().chain(later(melody(2, 50))).collect();
    let takes =
        [Take { notes: melody(1, 50), ..take(1) }, Take { notes: melody(2, 50), ..take(2) }, Take { notes: medley, ..take(3) }];
    let (_data, sources) = written(&takes);
    let plan = Plan::new(&sources, &Settings::default());
    assert_eq!(plan.performances.values().sum::<u64>(), 1);
    let (_data, sources) = written(&takes[..2]);
    assert_eq!(Plan::new(&sources, &Settings::default()).performances.values().sum::<u64>(), 2, "they have nothing in common");
}

#[test]
fn a_sequence_says_whose_its_notes_are() {
    let midi = Take { consent: "The notes may be used.", channels: 0, host: 9, machine: 9, begins: 0.0, host_nanos: 0, ..take(1) };
    let audio = Take { host: 9, machine: 9, begins: 0.0, host_nanos: 0, notes: Vec::new(), ..take(2) };
    let (_data, sources) = written(&[midi, audio]);
    let mut contents = Contents::default();
    for Sequence { about, .. } in sequences(&sources, &Settings::default()) {
        assert_eq!(about.note_sources[0].consent, "The notes may be used.");
        contents.count(&about);
    }
    let counted = ["May be used to train models.", "The notes may be used."].map(|consent| (consent.to_owned(), 3));
    assert_eq!(contents.consents, BTreeMap::from(counted));
}
