//! Packs records into entries of a take's log.

use std::collections::VecDeque;

use super::audio::{self, MAX_DATA, MAX_FRAGMENT_SAMPLES, SampleFormat, Scratch};
use super::times::BLOCK_LEN;
use super::{ENTRY_HEADER_LEN, MAX_ENTRY, MAX_SYSEX_PART, MidiEvent, MidiKind, Record, preview_number};
use crate::le::U64;
use crate::quality::Level;
use crate::units::{SamplePosition, SourceNumber};

/// Fills entries, or previews, with records, one after another; one that is full, or flushed, can be popped.
#[derive(Debug)]
pub struct Packer {
    next: SourceNumber,
    /// The level of previews; 1.0 for entries.
    level: Level,
    entry: Vec<u8>,
    full: VecDeque<Vec<u8>>,
    record: Vec<u8>,
    scratch: Scratch,
}

impl Packer {
    /// A packer whose first entry has the number `next`.
    pub fn new(next: SourceNumber) -> Self {
        Self { next, level: Level::Full, entry: Vec::new(), full: VecDeque::new(), record: Vec::new(), scratch: Scratch::default() }
    }

    /// A packer of previews at `level`, the first of which has the number `next`.
    pub fn of_previews(level: Level, next: u64) -> Self {
        Self { level, ..Self::new(SourceNumber(next)) }
    }

    /// From now on samples take as few bytes as can be, whatever the time: the network has little room.
    pub fn save_bytes(&mut self) {
        self.scratch.save_bytes();
    }

    /// Appends a record. A system exclusive message that is too long for one record becomes several. Texts that are too long
    /// are cut. Audio goes through [`push_audio`](Self::push_audio): [`Record::Audio`] and [`Record::Unknown`] are ignored.
    pub fn push(&mut self, record: &Record<'_>) {
        match record {
            Record::Midi(event) if event.data.len() > MAX_SYSEX_PART => {
                for (index, part) in event.data.chunks(MAX_SYSEX_PART).enumerate() {
                    let kind = if index == 0 { event.kind } else { MidiKind::SysExContinued };
                    self.append(|out| MidiEvent { kind, data: part, ..*event }.write(out));
                }
            }
            Record::Midi(event) => self.append(|out| event.write(out)),
            Record::Block(block) => self.append(|out| block.write(out)),
            Record::Automation(point) => self.append(|out| point.write(out)),
            Record::Transport(transport) => self.append(|out| transport.write(out)),
            Record::Clock(estimate) => self.append(|out| estimate.write(out)),
            Record::Marker(marker) => self.append(|out| marker.write(out)),
            Record::Gap(gap) => self.append(|out| gap.write(out)),
            Record::Parameter(parameter) => self.append(|out| parameter.write(out)),
            Record::Property(property) => self.append(|out| property.write(out)),
            Record::End(end) => self.append(|out| end.write(out)),
            Record::Audio(_) | Record::Unknown { .. } => {}
        }
    }

    /// Appends `samples`, interleaved by frame, as fragments in the smallest format that is exact. All are of one length but the last,
    /// which leaves room for the block's record: datagrams of one length leave in one call of the system, if the last is not longer.
    ///
    /// # Panics
    /// When `channels` is 0 or above [`MAX_CHANNELS`](crate::packet::hello::MAX_CHANNELS), or `samples` is not whole frames.
    pub fn push_audio(&mut self, position: SamplePosition, channels: u16, samples: &[f32]) {
        assert!(channels > 0 && channels <= crate::packet::hello::MAX_CHANNELS, "{channels} channels");
        let width = usize::from(channels);
        assert!(samples.len().is_multiple_of(width), "{} samples in {channels} channels", samples.len());
        let exact = SampleFormat::of(samples);
        if exact != SampleFormat::Silence
            && let Some(format) = SampleFormat::of_level(self.level)
        {
            return self.push_preview(position, channels, format, samples);
        }
        let format = exact;
        let longest = longest_fragment(samples.len() / width, width * format.bytes()).unwrap_or(MAX_FRAGMENT_SAMPLES / width);
        let mut position = position;
        for fragment in samples.chunks(longest * width) {
            let mut scratch = std::mem::take(&mut self.scratch);
            self.append(|out| {
                let fits = audio::write(out, &mut scratch, position, channels, format, fragment);
                debug_assert!(fits, "the fragment is as short as its format needs");
            });
            self.scratch = scratch;
            position.0 += (fragment.len() / width) as u64;
        }
    }

    /// Appends samples that need not be exact, as one fragment if it fits, otherwise as halves: how well they compress shows only then.
    fn push_preview(&mut self, position: SamplePosition, channels: u16, format: SampleFormat, samples: &[f32]) {
        let (width, mut record, mut scratch) = (usize::from(channels), Vec::new(), std::mem::take(&mut self.scratch));
        let fits =
            samples.len() <= MAX_FRAGMENT_SAMPLES && audio::write(&mut record, &mut scratch, position, channels, format, samples);
        self.scratch = scratch;
        if fits {
            self.append(|out| out.extend_from_slice(&record));
        } else {
            let (first, second) = samples.split_at((samples.len() / width).div_ceil(2) * width);
            self.push_preview(position, channels, format, first);
            self.push_preview(SamplePosition(position.0 + (first.len() / width) as u64), channels, format, second);
        }
    }

    /// Closes the entry that is being filled, if it holds anything.
    pub fn flush(&mut self) {
        if !self.entry.is_empty() {
            self.full.push_back(std::mem::take(&mut self.entry));
        }
    }

    /// Takes the oldest closed entry.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        self.full.pop_front()
    }

    /// The number that the next new entry will have.
    pub fn next(&self) -> SourceNumber {
        self.next
    }

    fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.record.clear();
        write(&mut self.record);
        debug_assert!(self.record.len() <= MAX_ENTRY - ENTRY_HEADER_LEN);
        if self.entry.len() + self.record.len() > MAX_ENTRY {
            self.flush();
        }
        if self.entry.is_empty() {
            self.entry.reserve_exact(MAX_ENTRY);
            let number = if self.level == Level::Full { self.next.0 } else { preview_number(self.level, self.next.0) };
            self.entry.extend_from_slice(bytemuck::bytes_of(&U64::from(number)));
            self.next.0 += 1;
        }
        self.entry.extend_from_slice(&self.record);
    }
}

/// Frames in each fragment but the last, where `frames` frames of `frame_len` bytes take as few entries as they can. `None` when they take
/// no bytes.
fn longest_fragment(frames: usize, frame_len: usize) -> Option<usize> {
    let longest = MAX_DATA.checked_div(frame_len)?.max(1);
    let last = (MAX_DATA - BLOCK_LEN) / frame_len;
    let parts = 1 + frames.saturating_sub(last).div_ceil(longest);
    let even = (frames * frame_len + BLOCK_LEN).div_ceil(frame_len * parts);
    Some(even.clamp(1, longest))
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;
    use crate::units::HostNanos;

    #[test]
    fn records_of_every_kind_read_back_in_order() {
        let position = SamplePosition(77);
        let all = [
            Record::Block(Block { position, frames: 512, crc: 5, host: HostNanos(6), playhead: Some(-7) }),
            Record::Block(Block { position, frames: 512, crc: 5, host: HostNanos(6), playhead: None }),
            Record::Midi(MidiEvent {
                position,
                kind: MidiKind::Message,
                bytes: [0x90, 60, 100],
                note_id: -1,
                value: 0.787,
                data: &[],
            }),
            Record::Automation(Automation { position, parameter: 8, normalized: 0.5, plain: -6.0 }),
            Record::Transport(Transport {
                position,
                flags: TransportFlags::PLAYING.with(TransportFlags::TEMPO, true),
                meter: (7, 8),
                bar: 3,
                tempo: 93.5,
                playhead: -100,
                seconds: 1.5,
                ppq: 2.25,
                bar_start: 1.0,
                loop_range: (0.0, 16.0),
            }),
            Record::Clock(ClockEstimate {
                position,
                host: HostNanos(1),
                offset: -2,
                round_trip: 3,
                uncertainty: 4,
                drift_ppb: 5.5,
            }),
            Record::Marker(Marker { position, kind: MarkerKind::Text, text: "Strophe ä" }),
            Record::Gap(Gap { position, frames: 9, reason: GapReason::RingFull }),
            Record::Parameter(Parameter { parameter: 8, name: "Send" }),
            Record::Property(Property { key: 1, text: "Lead" }),
            Record::End(End { position, reason: EndReason::EndOfFile }),
        ];
        let mut packer = Packer::new(SourceNumber(40));
        all.iter().for_each(|record| packer.push(record));
        packer.flush();
        let entry = packer.pop().unwrap();
        assert!(packer.pop().is_none());
        assert_eq!(source_number(&entry), Some(SourceNumber(40)));
        assert_eq!(packer.next(), SourceNumber(41));
        let read: Vec<_> = records(&entry).map(Result::unwrap).collect();
        assert_eq!(read, all);
    }

    #[test]
    fn a_long_system_exclusive_message_becomes_parts_that_join_to_it() {
        let message: Vec<u8> = std::iter::once(0xF0).chain((0..4_000).map(|n| (n % 128) as u8)).chain([0xF7]).collect();
        let mut packer = Packer::new(SourceNumber(0));
        packer.push(&Record::Midi(MidiEvent {
            position: SamplePosition(3),
            kind: MidiKind::SysEx,
            bytes: [0xF0, 0, 0],
            note_id: -1,
            value: 0.0,
            data: &message,
        }));
        packer.flush();
        let mut joined = Vec::new();
        while let Some(entry) = packer.pop() {
            assert!(entry.len() <= MAX_ENTRY);
            for record in records(&entry) {
                let Record::Midi(event) = record.unwrap() else { panic!("only MIDI was written") };
                assert_eq!(event.kind == MidiKind::SysEx, joined.is_empty());
                joined.extend_from_slice(event.data);
            }
        }
        assert_eq!(joined, message);
    }

    #[test]
    fn entries_of_audio_fill_datagrams_and_no_more() {
        let samples: Vec<f32> = (0..1_024).map(|n| (n as f32 * 0.37).sin()).collect();
        let mut packer = Packer::new(SourceNumber(0));
        packer.push_audio(SamplePosition(0), 2, &samples);
        packer.flush();
        let lengths: Vec<usize> = std::iter::from_fn(|| packer.pop()).map(|entry| entry.len()).collect();
        assert_eq!(lengths.len(), 4, "512 stereo frames of float32 are four datagrams: {lengths:?}");
        assert!(lengths.iter().all(|len| *len <= MAX_ENTRY));
    }

    #[test]
    fn entries_of_a_float_block_are_of_one_length_but_the_last_which_is_not_longer() {
        let mut noise = 1_u32;
        let mut noise = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 8) as f32 / 16_777_216.0 - 0.3
        };
        // A block whose record fits only just, and one whose record does not; few and many channels.
        for (channels, frames) in [(2, 512), (1, 512), (2, 2_048), (2, 134), (2, 135), (6, 512), (1, 237), (2, 31), (64, 65)] {
            let samples: Vec<f32> = (0..frames * channels).map(|_| noise()).collect();
            let mut packer = Packer::new(SourceNumber(0));
            for block in 0..3_u64 {
                let position = SamplePosition(block * frames as u64);
                packer.push_audio(position, channels as u16, &samples);
                packer.push(&Record::Block(Block {
                    position,
                    frames: frames as u32,
                    crc: 5,
                    host: HostNanos(6),
                    playhead: Some(-7),
                }));
                packer.flush();
                let lengths: Vec<usize> = std::iter::from_fn(|| packer.pop()).map(|entry| entry.len()).collect();
                let (last, others) = lengths.split_last().unwrap();
                let fewest = (frames * channels * 4 + BLOCK_LEN).div_ceil(MAX_DATA / (channels * 4) * channels * 4);
                assert!(lengths.len() <= fewest, "{channels} x {frames}: {lengths:?}");
                assert!(others.iter().all(|len| len == &others[0] && len >= last), "{channels} x {frames}: {lengths:?}");
            }
        }
    }

    #[test]
    fn integers_that_go_on_as_they_did_are_compressed() {
        // A soft tone of 16 bits: its differences fill one byte of two.
        let samples: Vec<f32> = (0..512).map(|n| ((f64::from(n) * 0.05).sin() * 900.0).round() as f32 / 32_768.0).collect();
        let mut packer = Packer::new(SourceNumber(0));
        packer.push_audio(SamplePosition(0), 1, &samples);
        packer.flush();
        let entry = packer.pop().unwrap();
        assert!(entry.len() < 800, "{} bytes of 1,024 of samples", entry.len());
        let mut read = Vec::new();
        for record in records(&entry) {
            let Ok(Record::Audio(fragment)) = record else { panic!("{record:?}") };
            fragment.decode(&mut read).unwrap();
        }
        assert_eq!(read, samples);
    }

    #[test]
    fn silence_costs_almost_nothing() {
        let mut packer = Packer::new(SourceNumber(0));
        packer.push_audio(SamplePosition(0), 2, &[0.0; 8_192]);
        packer.flush();
        assert!(packer.pop().unwrap().len() < 40);
        assert!(packer.pop().is_none());
    }
}
