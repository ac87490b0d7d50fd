//! What the figures mean: good, worth a look, or bad, and why, in plain words.

use serde::Serialize;

use super::{Quality, Sound};
use crate::store::Summary;
use crate::take::date_and_time;

/// How good something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// Nothing to do.
    Good,
    /// It can be used; somebody should look whether it is meant.
    Look,
    /// It is not what was played, or no use to learn from.
    Bad,
}

impl Grade {
    /// All of them, the best first.
    pub const ALL: [Self; 3] = [Self::Good, Self::Look, Self::Bad];

    /// `good`, `look` or `bad`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Look => "look",
            Self::Bad => "bad",
        }
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is; never good.
    pub grade: Grade,
    /// What it is about, for programs.
    pub about: &'static str,
    /// What it is, and what to do, for people.
    pub why: String,
}

/// Offsets of onsets that the method itself has: exact renderings are heard 12 to 17 ms late, in milliseconds.
const USUAL_OFFSET: std::ops::RangeInclusive<f64> = -20.0..=40.0;

/// Looks for everything that is not as it should be, and grades the take by the worst of it. `original` is the take that it
/// repeats.
pub(super) fn judge(quality: &mut Quality, original: Option<&Summary>) {
    let mut findings = Findings(Vec::new());
    findings.delivery(quality);
    if let Some(sound) = &quality.sound {
        findings.sound(sound);
    }
    findings.content(quality);
    findings.repeats(original);
    let Findings(mut list) = findings;
    // The worst first; the order of the rules otherwise.
    list.sort_by_key(|finding| std::cmp::Reverse(finding.grade));
    quality.verdict = list.first().map_or(Grade::Good, |finding| finding.grade);
    quality.findings = list;
}

struct Findings(Vec<Finding>);

impl Findings {
    fn note(&mut self, found: bool, grade: Grade, about: &'static str, why: impl FnOnce() -> String) {
        if found {
            self.0.push(Finding { grade, about, why: why() });
        }
    }

    fn delivery(&mut self, quality: &Quality) {
        use Grade::{Bad, Look};
        let delivery = &quality.delivery;
        let mismatches = delivery.crc_mismatches;
        self.note(mismatches > 0, Bad, "checksums", || {
            format!("{mismatches} of {} blocks are not what was played: their checksums differ", delivery.checked_blocks)
        });
        self.note(delivery.bad_records > 0, Bad, "records", || {
            format!(
                "{} records of the sender could not be used; sender and receiver may be of different versions",
                delivery.bad_records
            )
        });
        self.note(delivery.gone_entries > 0, Look, "records", || {
            format!("the sender no longer had {} entries of its log: notes or automation may be missing", delivery.gone_entries)
        });
        let lost = delivery.lost();
        let worst = delivery.worst_gaps.iter().find(|gap| !gap.reason.is_meant()).map_or("", |gap| gap.reason.words());
        self.note(lost > 0.0, if lost > 0.01 { Bad } else { Look }, "gaps", || {
            format!("{} of the time is missing, mostly because {worst}", percent(lost))
        });
        let inexact = delivery.exact().map_or(0.0, |exact| 1.0 - exact);
        self.note(inexact > 0.0, Look, "level", || format!("{} is not bit-exact", percent(inexact)));
        if let Some(clock) = delivery.clock {
            self.note(clock.median_ms > 5.0, Look, "clock", || {
                format!(
                    "the studio machine's clock is known to {:.1} ms only: notes of other machines may be off by that",
                    clock.median_ms
                )
            });
        }
    }

    fn sound(&mut self, sound: &Sound) {
        use Grade::{Bad, Look};
        self.note(sound.not_finite > 0, Bad, "samples", || {
            format!("{} samples are no numbers: a plugin before this one fails", sound.not_finite)
        });
        let clipped = sound.clipped;
        self.note(sound.clipped_runs > 0, if clipped > 1e-3 { Bad } else { Look }, "clipping", || {
            format!("it clips {} times ({} of the samples): turn the input down", sound.clipped_runs, percent(clipped))
        });
        let peak = sound.peak_dbfs.unwrap_or(f64::NEG_INFINITY);
        self.note(sound.clipped_runs == 0 && peak > 0.0, Look, "peak", || {
            format!("it peaks {peak:.1} dB above full scale and will clip in 16 or 24 bits: turn the track down")
        });
        let silent = sound.seconds > 0.0 && sound.peak_dbfs.is_none();
        self.note(silent, Bad, "silence", || "there is nothing but silence: is the plugin on the right track?".to_owned());
        self.note(!silent && sound.near_silence > 0.5, Look, "silence", || {
            format!("{} of the time is silent", percent(sound.near_silence))
        });
        self.note(sound.rms_dbfs.is_some_and(|rms| rms < -50.0), Look, "loudness", || {
            format!("it is very quiet ({:.0} dBFS): turn the input up", sound.rms_dbfs.unwrap_or_default())
        });
        self.note(sound.dc_offset.abs() > 5e-3, Look, "offset", || {
            format!(
                "the wave is off its middle by {}: a cable, the converter or a plugin adds direct current",
                percent(sound.dc_offset.abs())
            )
        });
    }

    fn content(&mut self, quality: &Quality) {
        use Grade::{Bad, Look};
        self.note(quality.private_seconds > 0.0, Look, "private", || {
            let seconds = quality.private_seconds.round().max(1.0) as u64;
            format!("private: {}:{:02}; no export takes that, and no picture shows it", seconds / 60, seconds % 60)
        });
        self.note(quality.channels == 0 && quality.playing.measures.notes == 0, Bad, "notes", || {
            "there is neither audio nor a note in it".to_owned()
        });
        if let Some(agreement) = &quality.agreement {
            let of = if agreement.notes_of == quality.name { String::new() } else { format!(" of {}", agreement.notes_of) };
            self.note(agreement.f_measure < 0.5, Look, "agreement", || {
                format!(
                    "notes{of} and audio hardly agree ({} of the notes are heard, {} of what is heard are notes): is it the same \
                     instrument?",
                    percent(agreement.recall),
                    percent(agreement.precision)
                )
            });
            let offset = agreement.median_offset_ms.unwrap_or_default();
            self.note(agreement.f_measure >= 0.5 && !USUAL_OFFSET.contains(&offset), Look, "agreement", || {
                let side = if offset > 0.0 { "after" } else { "before" };
                format!("the audio comes {:.0} ms {side} the notes{of}: does the host compensate delays?", offset.abs())
            });
        }
    }

    fn repeats(&mut self, original: Option<&Summary>) {
        let Some(original) = original else { return };
        let (date, time) = date_and_time(original.started_unix_nanos / 1_000_000_000);
        let name = if original.name.is_empty() { "the take" } else { &original.name };
        self.note(true, Grade::Look, "repeats", || {
            format!("it repeats {name} of {date} {}:{}; both stand on the same side of a split", &time[..2], &time[2..4])
        });
    }
}

/// A share as per cent, never `0 %` for what is there.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        percent if percent < 0.01 => "under 0.01 %".to_owned(),
        percent if percent < 0.95 => format!("{percent:.2} %"),
        percent if percent < 9.95 => format!("{percent:.1} %"),
        // What is not all of it is not called all of it.
        percent if (99.5..100.0).contains(&percent) => "over 99 %".to_owned(),
        percent => format!("{percent:.0} %"),
    }
}
