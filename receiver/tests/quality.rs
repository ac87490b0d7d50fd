//! What is found in recordings is what was put into them.

#[path = "common/takes.rs"]
mod takes;

use send_learn::quality::{Grade, Quality, Survey, percent, survey};
use send_learn::source::Sources;
use send_learn::store::layout::{ClockRow, GapRow};
use takes::{RATE, Take, clicks, marker, melody, sample, take, written};

fn look(sources: &Sources) -> Vec<Quality> {
    let Survey { takes, broken } = survey(sources, 2, &|_| ()).unwrap();
    assert!(broken.is_empty(), "{broken:?}");
    takes
}

fn look_at(take: Take) -> Quality {
    let (_data, sources) = written(&[take]);
    look(&sources).remove(0)
}

/// What the findings are about.
fn findings(quality: &Quality) -> Vec<(Grade, &'static str)> {
    quality.findings.iter().map(|finding| (finding.grade, finding.about)).collect()
}

fn near(value: f64, expected: f64, within: f64) -> bool {
    (value - expected).abs() <= within
}

#[test]
fn a_sound_take_is_good_and_its_figures_are_those_of_what_was_played() {
    let quality = look_at(Take { sound: clicks, ..take(1) });
    assert_eq!((quality.verdict, findings(&quality)), (Grade::Good, vec![]));
    let sound = quality.sound.as_ref().expect("audio");
    let samples: Vec<f64> = (0..100 * RATE).map(|position| clicks(1, position, 0).into()).collect();
    let peak = samples.iter().fold(0.0_f64, |peak, sample| peak.max(sample.abs()));
    let rms = (samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len() as f64).sqrt();
    assert!(near(sound.peak_dbfs.unwrap(), 20.0 * peak.log10(), 1e-9), "{sound:?}");
    assert!(near(sound.rms_dbfs.unwrap(), 20.0 * rms.log10(), 1e-9), "{sound:?}");
    assert_eq!((sound.seconds, sound.clipped_runs, sound.not_finite), (100.0, 0, 0));
    let playing = &quality.playing;
    assert_eq!((playing.midi_events, playing.measures.notes, playing.measures.max_polyphony), (400, 200, 1));
    assert_eq!((playing.measures.density, playing.tempo.unwrap().mean), (2.0, 120.0));
    assert_eq!(playing.pitches.iter().sum::<u64>(), 200);
    assert_eq!(playing.velocities[100], 200);
    assert_eq!(playing.density_stretches.iter().collect::<Vec<_>>(), [(&2, &10)]);
    assert_eq!((quality.delivery.live, quality.delivery.missing, quality.delivery.exact()), (1.0, 0.0, Some(1.0)));
    assert_eq!((quality.delivery.checked_blocks, quality.delivery.crc_mismatches), (10_000, 0));
    let agreement = quality.agreement.as_ref().expect("notes and audio");
    assert!(agreement.f_measure > 0.99 && agreement.played == 200, "{agreement:?}");
    assert!(near(agreement.median_offset_ms.unwrap(), 10.0, 10.0), "{agreement:?}");
}

#[test]
fn faults_are_found_and_named() {
    let bad = look_at(Take { sound: |_, position, _| if position % 500 < 4 { 1.0 } else { 0.1 }, ..take(1) });
    assert_eq!(findings(&bad)[0], (Grade::Bad, "clipping"), "{:?}", bad.findings);
    assert!(findings(&bad).contains(&(Grade::Look, "offset")));
    assert_eq!(bad.sound.unwrap().clipped_runs, 2 * 100 * RATE / 500);

    let silent = look_at(Take { sound: |_, _, _| 0.0, ..take(1) });
    assert_eq!(findings(&silent), [(Grade::Bad, "silence")]);
    assert_eq!(silent.agreement, None);

    let loud = look_at(Take { sound: |number, position, channel| sample(number, position, channel) * 5.0, ..take(1) });
    assert!(findings(&loud).contains(&(Grade::Look, "peak")), "{:?}", loud.findings);

    let broken = look_at(Take { sound: |_, at, _| if at == 7 { f32::NAN } else { clicks(1, at, 0) }, ..take(1) });
    assert_eq!(findings(&broken), [(Grade::Bad, "samples")]);

    let late = look_at(Take {
        notes: melody(1, 100).into_iter().map(|(at, key)| (at.max(2200) - 2200, key)).collect(),
        sound: clicks,
        ..take(1)
    });
    assert_eq!(findings(&late), [(Grade::Look, "agreement")], "{:?}", late.agreement);

    let others = look_at(Take { notes: (0..300).map(|index| (index * RATE / 3 + 8000, 60)).collect(), sound: clicks, ..take(1) });
    assert_eq!(findings(&others), [(Grade::Look, "agreement")], "{:?}", others.agreement);

    let empty = look_at(Take { channels: 0, notes: Vec::new(), ..take(1) });
    assert_eq!(findings(&empty), [(Grade::Bad, "notes")]);
}

#[test]
fn what_was_lost_is_told_from_what_was_meant() {
    let gap = |second: u64, frames, reason| GapRow { sample: second * RATE, frames, reason };
    let gaps = vec![gap(10, RATE, 2), gap(20, RATE / 2, 1), gap(30, RATE / 10, 3)];
    let quality = look_at(Take { gaps, sound: clicks, ..take(1) });
    let delivery = &quality.delivery;
    assert!(near(delivery.missing, 0.016, 1e-12) && near(delivery.lost(), 0.006, 1e-12), "{delivery:?}");
    assert_eq!(delivery.worst_gaps.iter().map(|gap| gap.at).collect::<Vec<_>>(), [10.0, 20.0, 30.0]);
    assert_eq!(findings(&quality), [(Grade::Look, "gaps")]);
    assert!(quality.findings[0].why.contains("the studio machine was too busy"), "{:?}", quality.findings);
    // Notes in gaps could not be heard.
    let agreement = quality.agreement.as_ref().expect("both");
    assert!(agreement.recall > 0.98 && agreement.played < 200, "{agreement:?}");
    assert!(near(quality.sound.as_ref().unwrap().seconds, 98.4, 1e-9));
    let bypassed = look_at(Take { gaps: vec![gap(10, 40 * RATE, 2)], sound: clicks, ..take(1) });
    assert_eq!((bypassed.verdict, percent(bypassed.delivery.missing).as_str()), (Grade::Good, "40 %"));
}

#[test]
fn ways_of_arrival_levels_and_clocks_are_counted() {
    let clock = |uncertainty_nanos| ClockRow {
        sample: 0,
        host_nanos: 0,
        offset_nanos: 0,
        round_trip_nanos: 0,
        uncertainty_nanos,
        drift_ppb: 0.0,
    };
    let delivery = |position: u64| match position / RATE {
        0..50 => (0, 1.0),
        50..80 => (1, 1.0),
        80..95 => (2, 0.5),
        _ => (3, 0.999),
    };
    let clock = vec![clock(1_000_000), clock(6_000_000), clock(90_000_000)];
    let quality = look_at(Take { delivery, clock, sound: clicks, ..take(1) });
    let came = &quality.delivery;
    assert_eq!((came.live, came.repaired, came.resent, came.backfilled), (0.5, 0.3, 0.15, 0.05));
    assert_eq!(
        came.levels.iter().map(|(level, share)| (&**level, *share)).collect::<Vec<_>>(),
        [("0.50", 0.15), ("0.99", 0.05), ("1.00", 0.8)]
    );
    let clock = came.clock.expect("measurements");
    assert!(clock.measurements == 3 && near(clock.median_ms, 6.0, 1e-9) && near(clock.max_ms, 90.0, 1e-9), "{clock:?}");
    assert_eq!(findings(&quality), [(Grade::Look, "level"), (Grade::Look, "clock")]);
}

#[test]
fn audio_is_compared_with_the_notes_of_the_stream_that_it_agrees_with() {
    let together = |number, name, channels, notes| Take {
        host: 9,
        machine: 9,
        host_nanos: 1_000_000_000,
        begins: 0.0,
        name,
        channels,
        notes,
        sound: clicks,
        ..take(number)
    };
    let others = (0..200).map(|index| (index * RATE / 3 + 9000, 60)).collect();
    let takes = [together(1, "Audio", 2, Vec::new()), together(2, "Drums", 0, others), together(3, "Keys", 0, melody(3, 100))];
    let (_data, sources) = written(&takes);
    let all = look(&sources);
    let agreement = all[0].agreement.as_ref().expect("a stream with notes");
    assert_eq!(agreement.notes_of, "Keys");
    assert!(agreement.f_measure > 0.98, "{agreement:?}");
    assert!(all[1].agreement.is_none() && all[2].agreement.is_none());
}

#[test]
fn of_what_is_private_or_refused_nothing_is_told_of_the_notes() {
    // Private from 20 s to 80 s: of two notes a second those at 0 to 19.5 and 80 to 99.5 s are for others.
    let markers = vec![marker(20 * RATE, 6), marker(80 * RATE, 7)];
    // The highest note of all is private.
    let messages = vec![(50 * RATE, [0x90, 120, 99]), (51 * RATE, [0x80, 120, 0])];
    let partly = look_at(Take { markers, messages, sound: clicks, ..take(1) });
    assert_eq!(findings(&partly), [(Grade::Look, "private")]);
    assert!(partly.private_seconds == 60.0 && partly.findings[0].why.contains("1:00"), "{:?}", partly.findings);
    let playing = &partly.playing;
    assert_eq!((playing.measures.notes, playing.pitches.iter().sum::<u64>(), playing.velocities[100]), (201, 80, 80));
    assert_eq!(playing.density_stretches.iter().collect::<Vec<_>>(), [(&2, &4)]);
    assert_eq!((playing.tempo.unwrap().mean, playing.tempo_seconds[&120]), (120.0, 40.0));
    let keys: Vec<usize> = (0..128).filter(|&key| playing.pitches[key] > 0).collect();
    let ends = [playing.measures.lowest_pitch, playing.measures.highest_pitch].map(|key| key.map(usize::from));
    assert_eq!(ends, [keys.first().copied(), keys.last().copied()]);
    let excerpt = playing.excerpt.as_ref().expect("notes");
    assert!(excerpt.begin < 4.1 || excerpt.begin >= 80.0, "{excerpt:?}");

    let private = Take { markers: vec![marker(0, 6)], sound: clicks, ..take(1) };
    let refused = Take { consent: "no", sound: clicks, ..take(1) };
    for take in [private, refused] {
        let playing = look_at(take).playing;
        assert_eq!(
            (playing.measures.notes, playing.pitches.iter().sum::<u64>(), playing.velocities.iter().sum::<u64>()),
            (200, 0, 0)
        );
        assert!(playing.excerpt.is_none() && playing.key.is_none() && playing.tempo.is_none());
        assert_eq!((playing.measures.lowest_pitch, playing.measures.highest_pitch), (None, None));
        assert!(playing.density_stretches.is_empty() && playing.tempo_seconds.is_empty());
    }
}

#[test]
fn a_take_that_was_played_again_names_the_first_one() {
    let (_data, sources) = written(&[take(1), Take { notes: melody(1, 100), ..take(2) }, take(3)]);
    let repeats: Vec<Option<String>> = look(&sources).into_iter().map(|take| take.repeats).collect();
    assert_eq!(repeats, [None, Some("01010101-0101-0101-0101-010101010101".to_owned()), None]);
}
