//! What the cutting needs to know of a take: much less than its samples.

use std::ops::Range;

use send_learn_protocol::record::{GapReason, MarkerKind, MidiKind};

use super::duplicates::Fingerprint;
use super::placement::{Origin, Placement};
use super::{Reason, Settings};
use crate::source::Source;
use crate::store::StoreError;
use crate::store::layout::{BlockRow, ClockRow, GapRow, MarkerRow, MidiRow};

/// A mark that something is private stands again within this while it holds, in seconds: if one is lost, the next is not farther
/// away. Twice a second, or with each of the longest blocks of hosts.
const MARKED_AGAIN: f64 = 2.0;

/// A take, read once.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) placement: Placement,
    pub(super) fingerprint: Fingerprint,
    pub(super) end: u64,
    pub(super) channels: u16,
    pub(super) sample_rate: f64,
    /// Samples of its MIDI messages, in order.
    events: Vec<u64>,
    /// Samples of its note-ons, in order.
    onsets: Vec<u64>,
    /// Where nothing may be taken from, and why.
    barred: Vec<(Range<u64>, Reason)>,
}

impl Profile {
    pub(super) fn read(source: &Source, settings: &Settings) -> Result<Self, StoreError> {
        let summary = &source.summary;
        let (midi, _) = source.midi()?;
        let blocks = source.table::<BlockRow>()?;
        let messages = midi.iter().filter(|row| row.kind != MidiKind::NoteExpression as u8);
        let note_on = |row: &&MidiRow| row.kind == MidiKind::Message as u8 && row.status & 0xF0 == 0x90 && row.data2 > 0;
        let mut barred = barred(source)?;
        let consent = summary.consent.trim();
        if consent.eq_ignore_ascii_case("no") || (consent.is_empty() && !settings.own) {
            barred.push((0..u64::MAX, Reason::Consent));
        }
        let origin = Origin {
            sample_rate: summary.sample_rate,
            host_id: summary.host_id.clone(),
            machine_id: summary.machine_id.clone(),
            started_unix_nanos: summary.started_unix_nanos,
        };
        Ok(Self {
            fingerprint: Fingerprint::new(&midi, &blocks, summary.sample_rate),
            placement: Placement::new(origin, &blocks, source.table::<ClockRow>()?),
            end: source.end(),
            channels: summary.channels,
            sample_rate: summary.sample_rate,
            events: messages.map(|row| row.sample).collect(),
            onsets: midi.iter().filter(note_on).map(|row| row.sample).collect(),
            barred,
        })
    }

    pub(super) fn events_in(&self, window: &Range<u64>) -> u64 {
        count(&self.events, window)
    }

    pub(super) fn onsets_in(&self, window: &Range<u64>) -> u64 {
        count(&self.onsets, window)
    }

    /// Why nothing may be taken from `window`, if so.
    pub(super) fn bars(&self, window: &Range<u64>) -> Option<Reason> {
        let met = self.barred.iter().filter(|(range, _)| range.start < window.end && window.start < range.end);
        met.map(|(_, reason)| *reason).min()
    }
}

fn count(samples: &[u64], window: &Range<u64>) -> u64 {
    let before = |position| samples.partition_point(|&sample| sample < position);
    (before(window.end) - before(window.start)) as u64
}

/// Gaps, parts that are missing, and what is private.
pub(super) fn barred(source: &Source) -> Result<Vec<(Range<u64>, Reason)>, StoreError> {
    let mut barred: Vec<(Range<u64>, Reason)> = Vec::new();
    let unknown = (MARKED_AGAIN * source.summary.sample_rate) as u64;
    for gap in source.table::<GapRow>()? {
        let (reason, after) = match GapReason::from_wire(gap.reason) {
            GapReason::Bypassed => (Reason::Bypass, 0),
            GapReason::CaptureOff => (Reason::CaptureOff, 0),
            GapReason::Private => (Reason::Private, 0),
            GapReason::RingFull | GapReason::EndOfAudio => (Reason::Gap, 0),
            // Entries of the log are lost, and perhaps a mark that something is private with them.
            _ => (Reason::Gap, unknown),
        };
        barred.push((gap.sample..gap.sample.saturating_add(gap.frames).saturating_add(after), reason));
    }
    let mut end = 0;
    for held in source.held() {
        if end < held.start {
            barred.push((end..held.start.saturating_add(unknown), Reason::Gap));
        }
        end = held.end;
    }
    let mut private_since = None;
    for marker in source.table::<MarkerRow>()? {
        if marker.kind == MarkerKind::PrivateOn as u8 {
            private_since.get_or_insert(marker.sample);
        } else if marker.kind == MarkerKind::PrivateOff as u8
            && let Some(since) = private_since.take()
        {
            barred.push((since..marker.sample, Reason::Private));
        } else if marker.kind == MarkerKind::Other as u8 {
            barred.push((marker.sample..marker.sample.saturating_add(unknown), Reason::Gap));
        }
    }
    if let Some(since) = private_since {
        barred.push((since..u64::MAX, Reason::Private));
    }
    Ok(barred)
}
