//! How a take came: by which way, at which quality, and what is missing.

use std::collections::BTreeMap;

use send_learn_protocol::record::GapReason;
use send_learn_protocol::tap::Arrival;
use serde::Serialize;

use super::agreement::median;
use crate::source::Source;
use crate::store::StoreError;
use crate::store::layout::{BlockRow, ClockRow, GapRow};

/// How many of the longest gaps are listed.
const LISTED: usize = 10;

/// How a take came.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Delivery {
    /// Share of the delivered time that came by first transmission. The four shares are 1 together, where anything came.
    pub live: f64,
    /// Share that was rebuilt from parity.
    pub repaired: f64,
    /// Share that was sent again.
    pub resent: f64,
    /// Share that caught up after an outage.
    pub backfilled: f64,
    /// Share of the delivered time at each quality level, by the level with two decimals; `1.00` is bit-exact.
    pub levels: BTreeMap<String, f64>,
    /// Blocks whose checksum was computed again.
    pub checked_blocks: u64,
    /// Blocks of those whose samples do not have their checksum.
    pub crc_mismatches: u64,
    /// Records of the sender that could not be used.
    pub bad_records: u64,
    /// Entries that the sender no longer had.
    pub gone_entries: u64,
    /// Share of the take's time that is missing, for whatever reason.
    pub missing: f64,
    /// What is missing, by reason.
    pub gaps: BTreeMap<Lost, Gaps>,
    /// The longest gaps, at most ten, the longest first.
    pub worst_gaps: Vec<Gap>,
    /// How well the studio machine's clock was known; none without measurements.
    pub clock: Option<Clock>,
}

/// Why samples are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lost {
    /// The plugin was bypassed.
    Bypassed,
    /// Capture was switched off.
    CaptureOff,
    /// It was private, and was not to be sent.
    Private,
    /// The sent file's audio had ended.
    EndOfAudio,
    /// The ring between audio thread and network was full.
    RingFull,
    /// The sender's memory for what was not received yet was full.
    RetentionFull,
    /// The sender was started anew.
    SenderRestarted,
    /// The recording was closed before the samples came.
    Interrupted,
    /// A file of the take is not here.
    PartMissing,
    /// A reason that this version does not know.
    Other,
}

impl Lost {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Bypassed => "the plugin was bypassed",
            Self::CaptureOff => "capture was off",
            Self::Private => "it was private and not to be sent",
            Self::EndOfAudio => "the audio file had ended",
            Self::RingFull => "the studio machine was too busy to send",
            Self::RetentionFull => "the connection was away for too long",
            Self::SenderRestarted => "the sender was started anew",
            Self::Interrupted => "the recording was interrupted",
            Self::PartMissing => "a file of the take is not here",
            Self::Other => "for an unknown reason",
        }
    }

    /// Whether somebody meant it.
    pub fn is_meant(self) -> bool {
        matches!(self, Self::Bypassed | Self::CaptureOff | Self::Private | Self::EndOfAudio)
    }

    fn from_row(reason: u8) -> Self {
        match GapReason::from_wire(reason) {
            GapReason::RingFull => Self::RingFull,
            GapReason::Bypassed => Self::Bypassed,
            GapReason::CaptureOff => Self::CaptureOff,
            GapReason::Private => Self::Private,
            GapReason::RetentionFull => Self::RetentionFull,
            GapReason::SenderRestarted => Self::SenderRestarted,
            GapReason::Interrupted => Self::Interrupted,
            GapReason::EndOfAudio => Self::EndOfAudio,
            _ => Self::Other,
        }
    }
}

/// Gaps of one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Gaps {
    /// How many.
    pub count: u64,
    /// Seconds that are missing.
    pub seconds: f64,
}

/// A gap.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gap {
    /// Seconds since the take's begin.
    pub at: f64,
    /// Its length in seconds.
    pub seconds: f64,
    /// Why.
    pub reason: Lost,
}

/// How well the studio machine's clock was known: the uncertainty of its offset from the receiver's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Clock {
    /// Measurements.
    pub measurements: u64,
    /// Median uncertainty, in milliseconds.
    pub median_ms: f64,
    /// Largest uncertainty, in milliseconds.
    pub max_ms: f64,
}

impl Delivery {
    /// Reads it out of the tables. Checksums are the business of whoever reads the samples.
    pub(super) fn read(source: &Source, blocks: &[BlockRow], gaps: &[GapRow]) -> Result<Self, StoreError> {
        let mut delivery = Self { clock: clock(&source.table::<ClockRow>()?), ..Self::default() };
        let delivered: u64 = blocks.iter().map(|block| u64::from(block.frames)).sum();
        let share = |frames: u64| if delivered > 0 { frames as f64 / delivered as f64 } else { 0.0 };
        let by = |arrival: Arrival| {
            let came = blocks.iter().filter(|block| Arrival::from_wire(block.arrival) == Some(arrival));
            share(came.map(|block| u64::from(block.frames)).sum())
        };
        delivery.live = by(Arrival::Live);
        delivery.repaired = by(Arrival::Repaired);
        delivery.resent = by(Arrival::Resent);
        delivery.backfilled = by(Arrival::Backfill);
        let mut levels: BTreeMap<String, u64> = BTreeMap::new();
        for block in blocks {
            // Rounded down, so that nothing but 1 reads as 1.
            *levels.entry(format!("{:.2}", (block.level * 100.0).floor() / 100.0)).or_default() += u64::from(block.frames);
        }
        delivery.levels = levels.into_iter().map(|(level, frames)| (level, share(frames))).collect();
        let rate = source.summary.sample_rate;
        let mut all: Vec<Gap> = Vec::new();
        for gap in gaps {
            all.push(Gap { at: gap.sample as f64 / rate, seconds: gap.frames as f64 / rate, reason: Lost::from_row(gap.reason) });
        }
        let mut end = 0;
        for held in source.held() {
            if end < held.start {
                let seconds = (held.start - end) as f64 / rate;
                all.push(Gap { at: end as f64 / rate, seconds, reason: Lost::PartMissing });
            }
            end = held.end;
        }
        for gap in &all {
            let gaps = delivery.gaps.entry(gap.reason).or_default();
            gaps.count += 1;
            gaps.seconds += gap.seconds;
        }
        let missing: f64 = all.iter().map(|gap| gap.seconds).sum();
        delivery.missing = if missing > 0.0 { (missing / (source.end() as f64 / rate)).min(1.0) } else { 0.0 };
        all.sort_by(|one, two| two.seconds.total_cmp(&one.seconds).then(one.at.total_cmp(&two.at)));
        all.truncate(LISTED);
        delivery.worst_gaps = all;
        // Each part of one run of the receiver repeats the counters of those before: the newest has them all.
        delivery.bad_records = source.summary.bad_records;
        delivery.gone_entries = source.summary.gone_entries;
        Ok(delivery)
    }

    /// Share of the take's time that is missing though nobody meant it.
    pub fn lost(&self) -> f64 {
        let seconds = |meant: bool| -> f64 {
            self.gaps.iter().filter(|(reason, _)| reason.is_meant() == meant).map(|(_, gaps)| gaps.seconds).sum()
        };
        let (lost, meant) = (seconds(false), seconds(true));
        if lost > 0.0 { self.missing * lost / (lost + meant) } else { 0.0 }
    }

    /// Share of the delivered time that is bit-exact; none where nothing was delivered.
    pub fn exact(&self) -> Option<f64> {
        (!self.levels.is_empty()).then(|| self.levels.get("1.00").copied().unwrap_or_default())
    }
}

fn clock(rows: &[ClockRow]) -> Option<Clock> {
    let mut uncertainties: Vec<f64> = rows.iter().map(|row| row.uncertainty_nanos as f64 * 1e-6).collect();
    let median_ms = median(&mut uncertainties)?;
    Some(Clock { measurements: rows.len() as u64, median_ms, max_ms: uncertainties.last().copied()? })
}
