//! The report as one page that needs nothing else: no network, no script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::histogram::histograms;
use super::picture::head;
use super::roll::rolls;
use super::strips::strips;
use super::timeline::timeline;
use super::words::{clock, count, length, name_of};
use super::{Outlook, Report};
use crate::quality::{Grade, Quality, percent};

const STYLE: &str = include_str!("style.css");

/// The most takes whose findings are spread out at the top.
const FINDINGS: usize = 20;

/// The page of a report, HTML.
pub fn page(report: &Report) -> String {
    let Report { totals, takes, broken, unfinished, export, .. } = report;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Training report" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (patterns())
                main {
                    header {
                        h1 { "Training report" }
                        p {
                            (count(takes.len() as u64, "take")) ", " (length(totals.seconds)) ", " (count(totals.notes, "note")) ". "
                            (count(export.sequences(), "sequence")) " could be exported."
                        }
                        p.grades { @for (&grade, takes) in &totals.verdicts { (badge(grade)) " " (takes) " " (grade.name()) " " } }
                    }
                    (broken_files(broken, unfinished))
                    (verdicts(takes))
                    (outlook(export))
                    section {
                        h2 { "Pictures" }
                        @if takes.is_empty() { p { "There is no take to draw." } }
                        @if let Some(timeline) = timeline(takes) { (timeline) }
                        div.pictures { @for histogram in histograms(totals) { (histogram) } }
                        @if let Some(strips) = strips(takes) { h3 { "Worst gaps" } (strips) }
                        div.pictures { @for roll in rolls(takes) { (roll) } }
                    }
                    section {
                        h2 { "Takes" }
                        @for take in takes { (details(take)) }
                    }
                    footer { p { "Made by Send Learn " (report.writer_version) ". Times are UTC. dBFS: decibels of full scale." } }
                }
            }
        }
    }
    .into_string()
}

/// What bars are filled with that stand for grades: not told apart by colour alone.
fn patterns() -> Markup {
    html! {
        svg.patterns aria-hidden="true" width="0" height="0" {
            defs {
                pattern id="stripes" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect class="look-ground" width="6" height="6" {}
                    rect class="look-stripe" width="3" height="6" {}
                }
                pattern id="crosses" width="6" height="6" patternUnits="userSpaceOnUse" {
                    rect class="bad-ground" width="6" height="6" {}
                    path class="bad-cross" d="M0 0L6 6M6 0L0 6" {}
                }
            }
        }
    }
}

fn badge(grade: Grade) -> Markup {
    let sign = match grade {
        Grade::Good => "✓",
        Grade::Look => "!",
        Grade::Bad => "✗",
    };
    html! { span class=(format!("badge {}", grade.name())) aria-hidden="true" { (sign) } }
}

fn broken_files(broken: &[String], unfinished: &[String]) -> Markup {
    html! {
        @if !broken.is_empty() {
            section {
                h2 { "Broken files" }
                p { (badge(Grade::Bad)) " These cannot be read, and nothing of them is in this report:" }
                ul { @for why in broken { li { (why) } } }
            }
        }
        @if !unfinished.is_empty() {
            section {
                h2 { "Unfinished files" }
                p { "These are still being written, or their receiver was killed; start the receiver to complete them:" }
                ul { @for path in unfinished { li { (path) } } }
            }
        }
    }
}

fn verdicts(takes: &[Quality]) -> Markup {
    let mut found: Vec<&Quality> = takes.iter().filter(|take| take.verdict > Grade::Good).collect();
    found.sort_by_key(|take| std::cmp::Reverse(take.verdict));
    html! {
        section {
            h2 { "Verdict" }
            @if found.is_empty() { p { (badge(Grade::Good)) " Nothing to mend." } }
            ul.findings { @for take in found.iter().take(FINDINGS) {
                li {
                    p { (badge(take.verdict)) " " strong { (name_of(take)) } " " span.quiet { (length(take.seconds)) } }
                    ul { @for finding in &take.findings { li { (finding.why) } } }
                }
            } }
            @if found.len() > FINDINGS { p { "and " (found.len() - FINDINGS) " more; see the takes below." } }
        }
    }
}

fn outlook(export: &Outlook) -> Markup {
    let settings = &export.settings;
    html! {
        section {
            h2 { "What an export would contain" }
            p {
                "Sequences of " (settings.sequence_length) " s, each repeating " (settings.overlap) " s of the one before, with at "
                "least " (settings.min_midi_events) " MIDI events. Split by performance."
            }
            div.scroll { table {
                (head(&["side", "performances", "sequences", "length"]))
                tbody { @for (split, side) in &export.splits {
                    tr {
                        th scope="row" { (split.name()) }
                        td { (side.performances) } td { (side.sequences) } td { (length(side.seconds)) }
                    }
                } }
            } }
            @if !export.left_out.is_empty() {
                p { "Left out:" }
                ul { @for (reason, &windows) in &export.left_out { li { (count(windows, "window")) ": " (reason.words()) } } }
            }
            @if export.repeated_takes > 0 {
                p { (count(export.repeated_takes, "take")) " played again: on the side of the first one." }
            }
        }
    }
}

/// All figures of a take, folded.
fn details(take: &Quality) -> Markup {
    let (playing, delivery) = (&take.playing, &take.delivery);
    let measures = &playing.measures;
    let row = |name: &str, value: String| html! { dt { (name) } dd { (value) } };
    html! {
        details.take {
            summary { (badge(take.verdict)) " " (name_of(take)) " " span.quiet { (length(take.seconds)) } }
            dl {
                (row("began", clock(take.started_unix_nanos)))
                (row("audio", if take.channels == 0 {
                    "none".to_owned()
                } else {
                    format!("{}, {} Hz", count(take.channels.into(), "channel"), take.sample_rate)
                }))
                @if let Some(sound) = &take.sound {
                    (row("peak", decibels(sound.peak_dbfs)))
                    (row("RMS", decibels(sound.rms_dbfs)))
                    (row("noise floor, at most", decibels(sound.noise_floor_dbfs)))
                    (row("digital silence", percent(sound.digital_silence)))
                    (row("below -60 dBFS", percent(sound.near_silence)))
                    (row("clipped", format!("{} times, {}", sound.clipped_runs, percent(sound.clipped))))
                    (row("offset", percent(sound.dc_offset.abs())))
                }
                (row("notes", measures.notes.to_string()))
                @if measures.notes > 0 {
                    (row("density", format!("{:.2} notes per second", measures.density)))
                    (row("polyphony", format!("{:.1} on average, {} at most", measures.mean_polyphony, measures.max_polyphony)))
                    (row("complexity", format!("{:.2} of 1", measures.complexity)))
                }
                @if let Some(key) = &playing.key { (row("key", key.clone())) }
                @if let Some(tempo) = playing.tempo { (row("tempo", range(tempo.slowest, tempo.fastest))) }
                @if let Some(agreement) = &take.agreement {
                    (row("notes heard", format!("{} of {} onsets{}", agreement.matched, agreement.played,
                        if agreement.notes_of == take.name { String::new() } else { format!(" of {}", agreement.notes_of) })))
                    (row("agreement (F)", format!("{:.2}", agreement.f_measure)))
                    @if let Some(offset) = agreement.median_offset_ms { (row("audio after notes", format!("{offset:.0} ms"))) }
                }
                (row("missing", percent(delivery.missing)))
                @if let Some(exact) = delivery.exact() { (row("bit-exact", percent(exact))) }
                @if delivery.exact().is_some() {
                    (row("arrived", format!("{} live, {} repaired, {} sent again, {} back-filled", percent(delivery.live),
                        percent(delivery.repaired), percent(delivery.resent), percent(delivery.backfilled))))
                }
                @if let Some(clock) = delivery.clock {
                    (row("clock known to", format!("{:.2} ms, at worst {:.2} ms", clock.median_ms, clock.max_ms)))
                }
            }
            @for finding in &take.findings { p { (badge(finding.grade)) " " (finding.why) } }
        }
    }
}

fn range(slowest: f64, fastest: f64) -> String {
    if fastest - slowest < 0.05 { format!("{slowest:.1}") } else { format!("{slowest:.1} to {fastest:.1}") }
}

fn decibels(level: Option<f64>) -> String {
    level.map_or_else(|| "silence".to_owned(), |level| format!("{level:.1} dBFS"))
}
