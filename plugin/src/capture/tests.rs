use std::thread;

use super::*;

const CONFIG: CaptureConfig = CaptureConfig { sample_rate: 100.0, channels: 2, max_block: 64, patient: false };

const CAPTURED: Wanted = Wanted::Captured;
const BYPASSED: Wanted = Wanted::Skipped(Pause::Bypassed);

fn block(capture: &mut Capture, frames: u32, wanted: Wanted) {
    let samples = vec![0.5; frames as usize];
    capture.begin(frames, HostNanos(1), &Observed::default(), wanted);
    capture.midi(0, MidiKind::Message, [0x90, 60, 100], -1, 0.0);
    capture.end(&[&samples, &samples]);
}

fn events(captured: &mut Captured) -> Vec<CaptureEvent> {
    std::iter::from_fn(|| captured.ring.events.pop().ok()).collect()
}

#[test]
fn positions_count_every_frame_of_the_take() {
    let (mut capture, mut captured) = capture(CONFIG);
    block(&mut capture, 10, CAPTURED);
    capture.begin(20, HostNanos(2), &Observed::default(), Wanted::Captured);
    capture.midi(3, MidiKind::Message, [0x80, 60, 0], 7, 0.25);
    capture.automation(4, 2, 0.5, 0.5);
    capture.end(&[[0.0; 20], [0.0; 20]]);
    let positions: Vec<_> = events(&mut captured)
        .iter()
        .filter_map(|event| match event {
            CaptureEvent::Midi(midi) => Some(("midi", midi.position.0)),
            CaptureEvent::Automation(point) => Some(("automation", point.position.0)),
            CaptureEvent::Block(block) => Some(("block", block.position.0)),
            _ => None,
        })
        .collect();
    assert_eq!(positions, [("midi", 0), ("block", 0), ("midi", 13), ("automation", 14), ("block", 10)]);
    assert_eq!(captured.counters.position(), SamplePosition(30));
}

#[test]
fn a_full_ring_drops_whole_blocks_counts_them_and_says_so_in_the_next() {
    let (mut capture, mut captured) = capture(CONFIG);
    // The ring holds four of the longest blocks.
    (0..6).for_each(|_| block(&mut capture, 64, CAPTURED));
    assert_eq!((captured.counters.blocks(), captured.counters.dropped_blocks()), (4, 2));
    events(&mut captured);
    let read = captured.ring.samples.slots();
    captured.ring.samples.read_chunk(read).unwrap().commit_all();
    block(&mut capture, 64, CAPTURED);
    let gap = CaptureEvent::Gap { position: SamplePosition(256), frames: 128, reason: GapReason::RingFull };
    let after = events(&mut captured);
    assert_eq!(after[0], gap);
    assert!(matches!(after.last(), Some(CaptureEvent::Block(block)) if block.position == SamplePosition(384)));
    assert_eq!(captured.counters.position(), SamplePosition(448));
}

#[test]
fn bypassed_frames_are_counted_marked_and_a_gap() {
    let (mut capture, mut captured) = capture(CONFIG);
    block(&mut capture, 10, CAPTURED);
    block(&mut capture, 10, BYPASSED);
    assert!(captured.counters.paused());
    block(&mut capture, 15, BYPASSED);
    block(&mut capture, 10, CAPTURED);
    assert!(!captured.counters.paused());
    let seen: Vec<_> = events(&mut captured)
        .into_iter()
        .filter(|event| matches!(event, CaptureEvent::Gap { .. } | CaptureEvent::Marker(..)))
        .collect();
    assert_eq!(
        seen,
        [
            CaptureEvent::Marker(SamplePosition(10), MarkerKind::BypassOn),
            CaptureEvent::Gap { position: SamplePosition(10), frames: 25, reason: GapReason::Bypassed },
            CaptureEvent::Marker(SamplePosition(35), MarkerKind::BypassOff),
        ]
    );
}

/// What the recording is told of pauses and of what is private.
fn said(captured: &mut Captured) -> Vec<(u64, String)> {
    let words = |event: CaptureEvent| match event {
        CaptureEvent::Marker(position, kind) => Some((position.0, format!("{kind:?}"))),
        CaptureEvent::Gap { position, frames, reason } => Some((position.0, format!("{frames} {reason:?}"))),
        CaptureEvent::Block(block) => Some((block.position.0, "block".to_owned())),
        _ => None,
    };
    events(captured).into_iter().filter_map(words).collect()
}

fn lines(expected: &[(u64, &str)]) -> Vec<(u64, String)> {
    expected.iter().map(|(position, words)| (*position, (*words).to_owned())).collect()
}

#[test]
fn what_is_private_is_captured_between_marks_that_stand_again_twice_a_second() {
    let (mut capture, mut captured) = capture(CONFIG);
    let wanted = [CAPTURED, Wanted::Private, Wanted::Private, Wanted::Private, CAPTURED];
    wanted.into_iter().for_each(|wanted| block(&mut capture, 20, wanted));
    let expected = [
        (0, "block"),
        (20, "PrivateOn"),
        (20, "block"),
        (40, "block"),
        // 50 frames are half a second: after this block they would have passed.
        (60, "PrivateOn"),
        (60, "block"),
        (80, "PrivateOff"),
        (80, "block"),
    ];
    assert_eq!(said(&mut captured), lines(&expected));
}

#[test]
fn a_pause_whose_reason_changes_is_told_reason_by_reason() {
    let (mut capture, mut captured) = capture(CONFIG);
    let (off, withheld) = (Wanted::Skipped(Pause::CaptureOff), Wanted::Skipped(Pause::Private));
    [CAPTURED, BYPASSED, off, off, withheld, Wanted::Private, off, CAPTURED]
        .into_iter()
        .for_each(|wanted| block(&mut capture, 10, wanted));
    let expected = [
        (0, "block"),
        (10, "BypassOn"),
        (10, "10 Bypassed"),
        (20, "BypassOff"),
        (20, "CaptureOff"),
        (20, "20 CaptureOff"),
        (40, "CaptureOn"),
        (40, "PrivateOn"),
        (40, "10 Private"),
        (50, "block"),
        (60, "CaptureOff"),
        (60, "10 CaptureOff"),
        (70, "CaptureOn"),
        (70, "PrivateOff"),
        (70, "block"),
    ];
    assert_eq!(said(&mut captured), lines(&expected));
}

#[test]
fn a_take_that_begins_with_capture_off_says_nothing_before_it_is_on() {
    let (mut capture, mut captured) = capture(CONFIG);
    block(&mut capture, 10, Wanted::Skipped(Pause::CaptureOff));
    block(&mut capture, 10, Wanted::Skipped(Pause::Private));
    assert!(captured.counters.paused());
    assert_eq!(said(&mut captured), []);
    block(&mut capture, 10, CAPTURED);
    assert_eq!(said(&mut captured), lines(&[(0, "20 CaptureOff"), (20, "block")]));
}

#[test]
fn a_take_that_ends_bypassed_still_tells_its_gap() {
    let (mut capture, mut captured) = capture(CONFIG);
    block(&mut capture, 10, CAPTURED);
    block(&mut capture, 10, BYPASSED);
    capture.finish(EndReason::Stopped);
    assert!(events(&mut captured).iter().any(|event| matches!(event, CaptureEvent::Gap { frames: 10, .. })));
    assert_eq!(captured.counters.end_reason(), EndReason::Stopped);
    assert!(captured.ring.is_finished());
}

#[test]
fn a_take_of_events_without_audio_says_when_it_began_and_why_there_is_none() {
    let (mut capture, mut captured) = capture(CONFIG);
    capture.begin_without_audio(10, HostNanos(7), &Observed::default());
    capture.midi(3, MidiKind::Message, [0x90, 60, 100], -1, 0.0);
    capture.end_without_audio();
    drop(capture);
    assert_eq!(captured.counters.started(), HostNanos(7));
    let gap = CaptureEvent::Gap { position: SamplePosition(0), frames: 10, reason: GapReason::EndOfAudio };
    assert_eq!(events(&mut captured).last(), Some(&gap));
}

#[test]
fn a_take_of_nothing_but_a_pause_leaves_no_trace() {
    let (mut capture, mut captured) = capture(CONFIG);
    block(&mut capture, 10, BYPASSED);
    drop(capture);
    assert_eq!(events(&mut captured), []);
    assert!(captured.ring.is_finished());
}

#[test]
fn events_beyond_the_ring_are_counted_and_the_block_carries_the_number() {
    let (mut capture, mut captured) = capture(CONFIG);
    capture.begin(8, HostNanos(1), &Observed::default(), Wanted::Captured);
    (0..5_000).for_each(|_| capture.midi(0, MidiKind::Message, [0xB0, 1, 2], -1, 0.0));
    capture.end(&[[0.0; 8], [0.0; 8]]);
    let lost = captured.counters.dropped_events();
    assert_eq!(captured.counters.midi() + lost, 5_000);
    let Some(CaptureEvent::Block(block)) = events(&mut captured).last().copied() else { panic!("the block's own event fits") };
    assert_eq!(u64::from(block.lost_events), lost);
}

#[test]
fn a_long_system_exclusive_message_goes_in_parts() {
    let (mut capture, mut captured) = capture(CONFIG);
    let message: Vec<u8> = std::iter::once(0xF0).chain((0..150).map(|n| n % 128)).chain([0xF7]).collect();
    capture.begin(8, HostNanos(1), &Observed::default(), Wanted::Captured);
    capture.sysex(2, &message);
    capture.end(&[[0.0; 8], [0.0; 8]]);
    let joined: Vec<u8> = events(&mut captured)
        .iter()
        .filter_map(|event| match event {
            CaptureEvent::Part(part) => Some(part.bytes[..usize::from(part.len)].to_vec()),
            _ => None,
        })
        .flatten()
        .collect();
    assert_eq!(joined, message);
}

#[test]
fn a_patient_capture_without_an_uplink_waits_once_not_with_every_block() {
    let (mut capture, mut captured) = capture(CaptureConfig { patient: true, ..CONFIG });
    capture.patience = Duration::from_millis(100);
    let begin = Instant::now();
    (0..104).for_each(|_| block(&mut capture, 64, CAPTURED));
    assert_eq!((captured.counters.blocks(), captured.counters.dropped_blocks()), (4, 100));
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(capture.given_up);
    events(&mut captured);
    let read = captured.ring.samples.slots();
    captured.ring.samples.read_chunk(read).unwrap().commit_all();
    block(&mut capture, 64, CAPTURED);
    assert_eq!(captured.counters.blocks(), 5);
    assert!(!capture.given_up, "there is an uplink again: it is worth waiting for");
}

#[test]
fn a_patient_capture_waits_for_room_within_a_block() {
    let (mut capture, mut captured) = capture(CaptureConfig { patient: true, channels: 0, ..CONFIG });
    let read = move || {
        let mut seen = Vec::new();
        while !captured.ring.is_finished() {
            // Slower than the writer, so that the ring fills up.
            seen.extend(events(&mut captured));
            thread::sleep(Duration::from_millis(20));
        }
        (seen, captured)
    };
    let uplink = thread::Builder::new().name("uplink".to_owned()).spawn(read).unwrap();
    let message: Vec<u8> = (0..MAX_MESSAGE).map(|n| (n % 127) as u8).collect();
    capture.begin(64, HostNanos(1), &Observed::default(), Wanted::Captured);
    (0..3 * RING_EVENTS).for_each(|_| capture.midi(0, MidiKind::Message, [0xB0, 1, 2], -1, 0.0));
    capture.sysex(0, &message);
    capture.text(0, "the end");
    capture.end::<&[f32]>(&[]);
    drop(capture);
    let (seen, captured) = uplink.join().unwrap();
    assert_eq!((captured.counters.dropped_blocks(), captured.counters.dropped_events()), (0, 0));
    assert_eq!(captured.counters.midi(), 3 * RING_EVENTS as u64 + 1);
    let bytes = |event: &CaptureEvent| match event {
        CaptureEvent::Part(part) if part.whole == Whole::SysEx => part.bytes[..usize::from(part.len)].to_vec(),
        _ => Vec::new(),
    };
    assert_eq!(seen.iter().flat_map(bytes).collect::<Vec<_>>(), message);
}
