//! The report on some recordings: how good they are, what an export of them would contain, and what cannot be read. For programs
//! as JSON (`spec/training-report.schema.json`), for people as a page.

mod histogram;
mod page;
mod picture;
mod roll;
mod strips;
mod timeline;
mod words;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::quality::{Quality, Survey, Totals};
use crate::sequences::{Plan, Reason, Settings, Split};
use crate::source::{Sources, within_data};
use crate::store::StoreError;

pub use page::page;

/// What is known of some recordings.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// `send-learn-report`.
    pub format: &'static str,
    /// 1; raised when a reader of older reports would misread newer ones.
    pub version: u32,
    /// The version of the program that made it.
    pub writer_version: &'static str,
    /// All takes together.
    pub totals: Totals,
    /// What an export would contain.
    pub export: Outlook,
    /// Every take that can be read, in order of their begin.
    pub takes: Vec<Quality>,
    /// What cannot be read, by its place in the data folder, and why.
    pub broken: Vec<String>,
    /// Files that are still being written, or were left so by a receiver that was killed; nothing of them is in the report.
    pub unfinished: Vec<String>,
}

/// What an export would contain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outlook {
    /// With which settings sequences would be cut.
    pub settings: Settings,
    /// Each side of the training.
    pub splits: BTreeMap<Split, Side>,
    /// Windows that would be left out, by reason.
    pub left_out: BTreeMap<Reason, u64>,
    /// Takes that repeat another one, and stand on its side.
    pub repeated_takes: u64,
}

/// One side of the training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Side {
    /// Performances.
    pub performances: u64,
    /// Sequences.
    pub sequences: u64,
    /// Their length in seconds; overlaps count each time.
    pub seconds: f64,
}

impl Outlook {
    /// What an export of `plan` would contain.
    pub fn new(sources: &Sources, plan: &Plan, settings: &Settings) -> Self {
        let mut splits: BTreeMap<Split, Side> = Split::ALL.into_iter().map(|split| (split, Side::default())).collect();
        for (split, performances) in &plan.performances {
            splits.entry(*split).or_default().performances += performances;
        }
        for planned in &plan.sequences {
            let side = splits.entry(planned.split()).or_default();
            side.sequences += 1;
            side.seconds += planned.size(sources).0 as f64 / sources.takes[planned.take].summary.sample_rate;
        }
        Self { settings: settings.clone(), splits, left_out: plan.left_out.clone(), repeated_takes: plan.repeated_takes() }
    }

    /// Sequences on all sides.
    pub fn sequences(&self) -> u64 {
        self.splits.values().map(|side| side.sequences).sum()
    }
}

impl Report {
    /// Puts together what is known of `sources`.
    pub fn new(sources: &Sources, survey: Survey, export: Outlook) -> Self {
        let broken = sources.broken.iter().chain(&survey.broken);
        Self {
            format: "send-learn-report",
            version: 1,
            writer_version: env!("CARGO_PKG_VERSION"),
            totals: Totals::of(&survey.takes),
            export,
            broken: broken.map(StoreError::within_data).collect(),
            unfinished: sources.unfinished.iter().map(|path| within_data(path)).collect(),
            takes: survey.takes,
        }
    }
}
