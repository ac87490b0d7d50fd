//! Entries, previews and their records.

use send_learn_protocol::quality::Level;
use send_learn_protocol::record::pack::Packer;
use send_learn_protocol::record::{
    Automation, Block, ClockEstimate, End, EndReason, Gap, GapReason, MAX_BODY, MAX_ENTRY, Marker, MarkerKind, MidiEvent, MidiKind,
    Parameter, Property, Record, SampleFormat, Transport, TransportFlags, is_entry, preview_of, records, source_number,
};
use send_learn_protocol::units::{HostNanos, SamplePosition, SourceNumber};

use crate::bytes::Bytes;

/// Samples of a fragment at most (spec/wire-format.md, section 9).
const MOST_SAMPLES: usize = 65_536;

/// The bytes of an entry, or of a preview, as they may come from anybody.
pub(crate) fn entry(bytes: &[u8]) {
    let _ = (source_number(bytes), preview_of(bytes), is_entry(bytes));
    let mut count = 0;
    for record in records(bytes) {
        count += 1;
        let Ok(record) = record else { continue };
        if let Record::Audio(fragment) = record {
            let mut samples = Vec::new();
            if fragment.decode(&mut samples).is_ok() {
                assert_eq!(samples.len(), fragment.frames as usize * usize::from(fragment.channels));
            }
            assert!(samples.len() <= MOST_SAMPLES);
        } else if bytes.len() <= MAX_ENTRY {
            written_reads_back(&record);
        }
    }
    // Every record but the last takes its header.
    assert!(count <= bytes.len() / 4 + 1);
}

/// One record of any kind: the first byte is the kind, the rest its body.
pub(crate) fn record(bytes: &[u8]) {
    let Some((kind, body)) = bytes.split_first() else { return };
    let body = &body[..body.len().min(MAX_BODY)];
    let mut whole = vec![0; 8];
    whole.extend([kind % 16, 0]);
    whole.extend((body.len() as u16).to_le_bytes());
    whole.extend(body);
    entry(&whole);
}

/// What a record says is the same after it was written; audio has its own body. Floats are compared by what is written of them.
fn written_reads_back(record: &Record<'_>) {
    let packed = |record: &Record<'_>| {
        let mut packer = Packer::new(SourceNumber(1));
        packer.push(record);
        packer.flush();
        packer.pop()
    };
    let Some(entry) = packed(record) else {
        assert!(matches!(record, Record::Unknown { .. } | Record::Audio(_)), "{record:?} is not written");
        return;
    };
    assert!(entry.len() <= MAX_ENTRY);
    let read: Vec<_> = records(&entry).collect();
    let [Ok(read)] = read.as_slice() else { panic!("{record:?} reads back as {read:?}") };
    assert_eq!(packed(read).as_ref(), Some(&entry), "{record:?} reads back as {read:?}");
}

/// Records of all kinds and audio of all formats, packed into entries and read back.
pub(crate) fn pack(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let mut packer = Packer::new(SourceNumber(bytes.u64() >> 2));
    let channels = u16::from(bytes.byte() % 16 + 1);
    let mut played: Vec<f32> = Vec::new();
    let (mut position, mut pushed) = (SamplePosition(0), 0_usize);
    while !bytes.is_empty() && pushed < 500 {
        pushed += 1;
        match bytes.byte() % 16 {
            0..4 => {
                let samples = samples(&mut bytes, channels);
                packer.push_audio(position, channels, &samples);
                position.0 += (samples.len() / usize::from(channels)) as u64;
                played.extend(samples);
            }
            15 => packer.flush(),
            kind => with_record(kind, position, &mut bytes, |record| packer.push(record)),
        }
    }
    packer.flush();
    let mut heard: Vec<f32> = Vec::new();
    let mut before = None;
    while let Some(entry) = packer.pop() {
        assert!(entry.len() <= MAX_ENTRY && is_entry(&entry));
        let number = source_number(&entry);
        assert!(before.is_none_or(|before: SourceNumber| number == Some(SourceNumber(before.0 + 1))));
        before = number;
        for record in records(&entry) {
            if let Record::Audio(fragment) = record.unwrap_or_else(|error| panic!("{error}: {entry:?}")) {
                assert_eq!(fragment.position.0 * u64::from(channels), heard.len() as u64);
                fragment.decode(&mut heard).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }
    let same = heard.iter().zip(&played).all(|(heard, played)| heard.to_bits() == played.to_bits());
    assert!(heard.len() == played.len() && same, "what was packed is not what is read");
}

/// Samples that each format is for, in whole frames.
fn samples(bytes: &mut Bytes<'_>, channels: u16) -> Vec<f32> {
    let (format, frames) = (bytes.byte() % 4, usize::from(bytes.byte()));
    let count = frames * usize::from(channels);
    let (step, start) = (f64::from(bytes.u16()), f64::from(bytes.u16()));
    let wave = |n: usize| ((n as f64 * step + start) * 0.01).sin();
    let sample = |n: usize, bytes: &mut Bytes<'_>| match format {
        0 => 0.0,
        1 => f32::from((wave(n) * 32_767.0) as i16) / 32_768.0,
        2 => (wave(n) * 8_388_607.0) as i32 as f32 / 8_388_608.0,
        _ if n < 8 => f32::from_bits(bytes.u32()),
        _ => wave(n) as f32,
    };
    (0..count).map(|n| sample(n, bytes)).collect()
}

fn with_record(kind: u8, position: SamplePosition, bytes: &mut Bytes<'_>, push: impl FnOnce(&Record<'_>)) {
    let text = bytes.text();
    let data = bytes.some();
    let record = match kind {
        4 => Record::Block(Block {
            position,
            frames: bytes.u32(),
            crc: bytes.u32(),
            host: HostNanos(bytes.u64()),
            playhead: Some(bytes.u64() as i64).filter(|playhead| *playhead != i64::MIN),
        }),
        5 | 6 => Record::Midi(MidiEvent {
            position,
            kind: if kind == 5 { MidiKind::Message } else { MidiKind::SysEx },
            bytes: [bytes.byte(), bytes.byte(), bytes.byte()],
            note_id: bytes.u32() as i32,
            value: bytes.f64(),
            data,
        }),
        7 => Record::Automation(Automation { position, parameter: bytes.u32(), normalized: bytes.f64(), plain: bytes.f64() }),
        8 => Record::Transport(Transport {
            position,
            flags: TransportFlags(bytes.u16()),
            meter: (bytes.u16(), bytes.u16()),
            bar: bytes.u32() as i32,
            tempo: bytes.f64(),
            playhead: bytes.u64() as i64,
            seconds: bytes.f64(),
            ppq: bytes.f64(),
            bar_start: bytes.f64(),
            loop_range: (bytes.f64(), bytes.f64()),
        }),
        9 => Record::Clock(ClockEstimate {
            position,
            host: HostNanos(bytes.u64()),
            offset: bytes.u64() as i64,
            round_trip: bytes.u64(),
            uncertainty: bytes.u64(),
            drift_ppb: bytes.f64(),
        }),
        10 => Record::Marker(Marker { position, kind: MarkerKind::Text, text: &text }),
        11 => Record::Gap(Gap { position, frames: bytes.u64(), reason: GapReason::RingFull }),
        12 => Record::Parameter(Parameter { parameter: bytes.u32(), name: &text }),
        13 => Record::Property(Property { key: bytes.byte(), text: &text }),
        _ => Record::End(End { position, reason: EndReason::Stopped }),
    };
    push(&record);
}

/// Previews of any samples: all of them are there, finite, and about as loud.
pub(crate) fn preview(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let level = if bytes.byte().is_multiple_of(2) { Level::Reduced } else { Level::Coarse };
    let channels = u16::from(bytes.byte() % 8 + 1);
    let samples = samples(&mut bytes, channels);
    let mut packer = Packer::of_previews(level, bytes.u64() >> 8);
    packer.push_audio(SamplePosition(0), channels, &samples);
    packer.flush();
    let mut heard = Vec::new();
    while let Some(entry) = packer.pop() {
        assert!(entry.len() <= MAX_ENTRY && preview_of(&entry).is_some_and(|(of, _)| of == level));
        for record in records(&entry) {
            let Ok(Record::Audio(fragment)) = record else { panic!("{record:?}") };
            let exact = matches!(fragment.format, SampleFormat::Silence);
            assert!(exact || SampleFormat::of_level(level) == Some(fragment.format));
            fragment.decode(&mut heard).unwrap_or_else(|error| panic!("{error}"));
        }
    }
    assert_eq!(heard.len(), samples.len());
}
