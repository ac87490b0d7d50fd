//! Standard MIDI Files, format 0 and 1: every event with its tick, and the tempo map.

use std::path::{Path, PathBuf};
use std::{fs, io};

use midly::{EventIter, Format, MetaMessage, TrackEventKind};

use super::tempo::TempoMap;
use crate::capture::MAX_MESSAGE;

/// Why a MIDI file cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SongError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {reason}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// It is no MIDI file.
    #[error("{path} is not a MIDI file that can be read: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file is shorter than it says.
    #[error("{path} is cut off in track {track}: {present} of {stated} bytes are there. Nothing was sent; copy the file again")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The track, from 1; the first that is missing or incomplete.
        track: usize,
        /// Bytes of the track in the file.
        present: usize,
        /// Bytes that its header states.
        stated: usize,
    },
    /// A track holds bytes that are no MIDI.
    #[error("{path} is damaged in track {track} after {events} events. Nothing was sent; copy the file again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The track, from 1.
        track: usize,
        /// Events that could be read.
        events: usize,
    },
    /// A system exclusive message or text does not fit the way to the receiver.
    #[error("{path} holds a message of {bytes} bytes in track {track}; at most {MAX_MESSAGE} can be sent. Nothing was sent")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The track, from 1.
        track: usize,
        /// Bytes of the message.
        bytes: usize,
    },
}

/// One event of a song.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A channel or system message: its bytes, the unused ones 0.
    Message([u8; 3]),
    /// A system exclusive message, F0 to F7.
    SysEx(Vec<u8>),
    /// A text, lyric, marker, cue or name.
    Text(String),
    /// Microseconds of a quarter note.
    Tempo(u32),
    /// Beats per bar, and the note value of a beat.
    Meter(u16, u16),
}

impl Event {
    /// Bytes of a message or text; 0 for what changes the transport.
    fn len(&self) -> usize {
        match self {
            Self::Message(bytes) => bytes.len(),
            Self::SysEx(bytes) => bytes.len(),
            Self::Text(text) => text.len(),
            Self::Tempo(_) | Self::Meter(..) => 0,
        }
    }
}

/// A file's events in order of ticks; on one tick, in order of tracks.
#[derive(Clone, Debug)]
pub struct Song {
    /// Ticks and events.
    pub events: Vec<(u64, Event)>,
    /// From ticks to samples.
    pub tempo: TempoMap,
}

impl Song {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`SongError`] says what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, SongError> {
        let bytes = fs::read(path).map_err(|reason| SongError::Io { path: path.to_owned(), reason })?;
        Self::read(path, &bytes)
    }

    /// Reads a file's `bytes`; `path` is only named in errors.
    ///
    /// # Errors
    /// [`SongError`] says what is wrong with them.
    pub fn read(path: &Path, bytes: &[u8]) -> Result<Self, SongError> {
        let format = |reason: &str| SongError::Format { path: path.to_owned(), reason: reason.to_owned() };
        if bytes.len() < 14 || !bytes.starts_with(b"MThd") {
            return Err(format("it does not begin with a MIDI header"));
        }
        // SMPTE's frames are stored negated, and midly negates them without a look at -128, which has no other side.
        if bytes[12] == 0x80 {
            return Err(format("it has 128 frames in a second"));
        }
        let (header, _) = midly::parse(bytes).map_err(|error| format(&error.to_string()))?;
        if bytes[13] == 0 && (bytes[12] == 0 || bytes[12] >= 0x80) {
            return Err(format("its header states no ticks per quarter note or frame, so nothing in it has a time"));
        }
        if header.format == Format::Sequential {
            return Err(format("it holds independent songs (format 2); split it into files of format 0 or 1"));
        }
        let mut events = Vec::new();
        for (index, track) in tracks(path, bytes)?.into_iter().enumerate() {
            let first = events.len();
            read_track(path, index + 1, track, &mut events)?;
            if let Some(bytes) = events[first..].iter().map(|(_, event)| event.len()).find(|len| *len > MAX_MESSAGE) {
                return Err(SongError::TooLong { path: path.to_owned(), track: index + 1, bytes });
            }
        }
        // Stable: events on one tick stay in order of tracks, and within a track in its order.
        events.sort_by_key(|(tick, _)| *tick);
        let tempos: Vec<(u64, u32)> = events
            .iter()
            .filter_map(|(tick, event)| match event {
                Event::Tempo(tempo) => Some((*tick, *tempo)),
                _ => None,
            })
            .collect();
        Ok(Self { tempo: TempoMap::new(header.timing, &tempos), events })
    }
}

/// The bytes of each track, all of them present.
fn tracks<'a>(path: &Path, bytes: &'a [u8]) -> Result<Vec<&'a [u8]>, SongError> {
    let stated_tracks = usize::from(u16::from_be_bytes([bytes[10], bytes[11]]));
    let mut tracks = Vec::new();
    let mut rest = bytes;
    while tracks.len() < stated_tracks {
        let truncated = |present, stated| SongError::Truncated { path: path.to_owned(), track: tracks.len() + 1, present, stated };
        let Some((head, body)) = rest.split_at_checked(8) else { return Err(truncated(0, 8)) };
        let stated = u32::from_be_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let Some((chunk, tail)) = body.split_at_checked(stated) else { return Err(truncated(body.len(), stated)) };
        if head.starts_with(b"MTrk") {
            tracks.push(chunk);
        }
        rest = tail;
    }
    Ok(tracks)
}

fn read_track(path: &Path, track: usize, bytes: &[u8], events: &mut Vec<(u64, Event)>) -> Result<(), SongError> {
    let (mut tick, mut count) = (0, 0);
    // A system exclusive message may come in packets; the first says where it stands.
    let mut packets: Option<(u64, Vec<u8>)> = None;
    for event in EventIter::new(bytes).bytemapped() {
        let damaged = || SongError::Damaged { path: path.to_owned(), track, events: count };
        let (raw, event) = event.map_err(|_| damaged())?;
        tick += u64::from(event.delta.as_int());
        match event.kind {
            TrackEventKind::Midi { channel, message } => {
                let live = midly::live::LiveEvent::Midi { channel, message };
                let mut message = Vec::with_capacity(3);
                let written = live.write_std(&mut message).is_ok();
                // The parser takes a data byte that is none without a word.
                let len = message.len() - 1;
                if !written || raw[raw.len() - len..].iter().any(|byte| *byte >= 0x80) {
                    return Err(damaged());
                }
                message.resize(3, 0);
                events.push((tick, Event::Message([message[0], message[1], message[2]])));
            }
            TrackEventKind::SysEx(data) => {
                let message: Vec<u8> = std::iter::once(0xF0).chain(data.iter().copied()).collect();
                if data.last() == Some(&0xF7) {
                    events.push((tick, Event::SysEx(message)));
                } else {
                    packets = Some((tick, message));
                }
            }
            TrackEventKind::Escape(data) => match &mut packets {
                Some((_, message)) => {
                    message.extend_from_slice(data);
                    if data.last() == Some(&0xF7) {
                        events.extend(packets.take().map(|(start, message)| (start, Event::SysEx(message))));
                    }
                }
                None if (1..=3).contains(&data.len()) => {
                    let mut message = [0; 3];
                    message[..data.len()].copy_from_slice(data);
                    events.push((tick, Event::Message(message)));
                }
                None => events.push((tick, Event::SysEx(data.to_vec()))),
            },
            TrackEventKind::Meta(MetaMessage::EndOfTrack) => {
                // A message whose end never came is kept as far as it goes.
                events.extend(packets.take().map(|(start, message)| (start, Event::SysEx(message))));
                return Ok(());
            }
            TrackEventKind::Meta(meta) => events.extend(meta_event(meta).map(|event| (tick, event))),
        }
        count += 1;
    }
    // The parser ends without a word where it does not understand; a sound track says that it ends.
    Err(SongError::Damaged { path: path.to_owned(), track, events: count })
}

fn meta_event(meta: MetaMessage<'_>) -> Option<Event> {
    match meta {
        MetaMessage::Tempo(tempo) => Some(Event::Tempo(tempo.as_int().max(1))),
        MetaMessage::TimeSignature(numerator, power, ..) => {
            let denominator = 1_u16.checked_shl(u32::from(power)).filter(|denominator| *denominator > 0)?;
            (numerator > 0).then_some(Event::Meter(u16::from(numerator), denominator))
        }
        MetaMessage::Text(text)
        | MetaMessage::Lyric(text)
        | MetaMessage::Marker(text)
        | MetaMessage::CuePoint(text)
        | MetaMessage::TrackName(text)
        | MetaMessage::InstrumentName(text)
        | MetaMessage::Copyright(text) => Some(Event::Text(decode(text))).filter(|event| *event != Event::Text(String::new())),
        _ => None,
    }
}

/// Text of a file that does not say how it is written: UTF-8 where it can be, Latin-1 otherwise.
fn decode(text: &[u8]) -> String {
    std::str::from_utf8(text).map_or_else(|_| text.iter().map(|byte| char::from(*byte)).collect(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of `tracks`, each the bytes of its events.
    fn file(format: u16, tracks: &[&[u8]]) -> Vec<u8> {
        let mut bytes = b"MThd\0\0\0\x06".to_vec();
        bytes.extend(format.to_be_bytes());
        bytes.extend((tracks.len() as u16).to_be_bytes());
        bytes.extend(96_u16.to_be_bytes());
        for track in tracks {
            bytes.extend(b"MTrk");
            bytes.extend((track.len() as u32).to_be_bytes());
            bytes.extend(*track);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Song, SongError> {
        Song::read(Path::new("song.mid"), bytes)
    }

    const END: [u8; 4] = [0, 0xFF, 0x2F, 0];

    #[test]
    fn tracks_are_merged_in_order_and_running_status_is_understood() {
        let first = [&[0, 0xFF, 0x51, 3, 0x07, 0xA1, 0x20, 96, 0xFF, 0x06, 2, b'h', b'i'][..], &END].concat();
        let second = [&[0, 0x90, 60, 100, 96, 60, 0, 10, 0xC0, 5][..], &END].concat();
        let song = read(&file(1, &[&first, &second])).unwrap();
        let expected = [
            (0, Event::Tempo(500_000)),
            (0, Event::Message([0x90, 60, 100])),
            (96, Event::Text("hi".to_owned())),
            (96, Event::Message([0x90, 60, 0])),
            (106, Event::Message([0xC0, 5, 0])),
        ];
        assert_eq!(song.events, expected);
    }

    #[test]
    fn system_exclusive_packets_are_joined() {
        let track = [&[0, 0xF0, 3, 0x7D, 1, 2, 10, 0xF7, 2, 3, 0xF7, 0, 0xF7, 1, 0xF8][..], &END].concat();
        let song = read(&file(0, &[&track])).unwrap();
        let joined = Event::SysEx(vec![0xF0, 0x7D, 1, 2, 3, 0xF7]);
        assert_eq!(song.events, [(0, joined), (10, Event::Message([0xF8, 0, 0]))]);
    }

    #[test]
    fn every_truncation_is_an_error() {
        let track = [&[0, 0x90, 60, 100, 96, 0x80, 60, 0][..], &END].concat();
        let whole = file(1, &[&track, &track]);
        assert!(read(&whole).is_ok());
        for len in 0..whole.len() {
            assert!(read(&whole[..len]).is_err(), "{len} bytes");
        }
        let Err(SongError::Truncated { track, present, stated, .. }) = read(&whole[..whole.len() - 5]) else {
            panic!("must be cut off")
        };
        assert_eq!((track, present, stated), (2, 7, 12));
    }

    #[test]
    fn damage_within_a_track_is_an_error() {
        let good = [&[0, 0x90, 60, 100][..], &END].concat();
        assert!(read(&file(0, &[&good])).is_ok());
        let bad_data = [&[0, 0x90, 60, 200][..], &END].concat();
        let no_status = [&[0, 60, 100][..], &END].concat();
        let no_end = [0, 0x90, 60, 100];
        for track in [&bad_data[..], &no_status, &no_end] {
            assert!(matches!(read(&file(0, &[track])), Err(SongError::Damaged { track: 1, .. })));
        }
        assert!(matches!(read(&file(2, &[&good])), Err(SongError::Format { .. })));
        for division in [[0, 0], [0xE7, 0]] {
            let mut timeless = file(0, &[&good]);
            timeless[12..14].copy_from_slice(&division);
            assert!(matches!(read(&timeless), Err(SongError::Format { .. })));
        }
        assert!(matches!(read(b"RIFF"), Err(SongError::Format { .. })));
    }

    #[test]
    fn a_message_that_cannot_be_sent_is_an_error_before_anything_is() {
        let of = |len: usize| {
            let size = [0x80 | (len >> 14) as u8, 0x80 | (len >> 7 & 0x7F) as u8, (len & 0x7F) as u8];
            let track = [&[0, 0xF0][..], &size, &vec![1; len - 1], &[0xF7], &END].concat();
            read(&file(0, &[&track]))
        };
        assert!(of(MAX_MESSAGE - 1).is_ok());
        let Err(SongError::TooLong { track: 1, bytes, .. }) = of(MAX_MESSAGE) else { panic!("must be refused") };
        assert_eq!(bytes, MAX_MESSAGE + 1, "with the F0 that begins it");
    }

    #[test]
    fn texts_that_are_not_utf8_are_latin_1() {
        assert_eq!(decode(b"na\xefve"), "na\u{ef}ve");
        assert_eq!(decode("naïve".as_bytes()), "naïve");
    }
}
