//! The dataset card: what an export is, for people, in Markdown with the head that dataset hubs read.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Contents, Manifest};
use crate::sequences::Split;

/// The host that `send-learn-send` names.
const FILES: &str = "send-learn-send";

/// The card of an export, `README.md` beside its files; `features` says whether they hold any.
pub(super) fn card(manifest: &Manifest, features: bool) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text, manifest, features);
    text
}

fn write(out: &mut String, manifest: &Manifest, features: bool) -> std::fmt::Result {
    let Manifest { contents, settings, .. } = manifest;
    let hours = contents.seconds.values().sum::<f64>() / 3600.0;
    writeln!(out, "---\npretty_name: Send Learn recordings, {}", manifest.export)?;
    match contents.licences.keys().filter(|licence| !licence.is_empty()).collect::<Vec<_>>()[..] {
        [only] if contents.licences.len() == 1 => writeln!(out, "license: {}", quoted(&only.to_lowercase()))?,
        _ => writeln!(out, "license: other")?,
    }
    writeln!(out, "tags:\n- music\n- audio\n- midi\n---\n")?;
    writeln!(out, "# Music recorded with Send Learn\n")?;
    writeln!(out, "Exported as `{}` by Send Learn {}.\n", manifest.export, manifest.writer_version)?;

    let silent = contents.channels.get(&0).copied().unwrap_or_default();
    let sound = match silent {
        0 => " of sound".to_owned(),
        all if all == contents.total() => " of MIDI alone".to_owned(),
        some => format!(", {some} of the sequences MIDI alone"),
    };
    writeln!(out, "## What is in it\n")?;
    writeln!(
        out,
        "{} sequences of {} s, {hours:.2} hours{sound} (overlaps of {} s count each time), {} notes, {} MIDI events.\n",
        contents.total(),
        settings.sequence_length,
        settings.overlap,
        contents.notes,
        contents.midi_events
    )?;
    writeln!(out, "| split | performances | sequences | hours |\n| --- | --- | --- | --- |")?;
    for split in Split::ALL {
        let count = |counts: &BTreeMap<Split, u64>| counts.get(&split).copied().unwrap_or_default();
        let hours = contents.seconds.get(&split).copied().unwrap_or_default() / 3600.0;
        writeln!(out, "| {} | {} | {} | {hours:.2} |", split.name(), count(&manifest.performances), count(&contents.sequences))?;
    }
    writeln!(
        out,
        "\nSplits go by performance (takes that were played together, or that repeat one another), never by sequence; the seed was {}. {}\n",
        settings.seed,
        match manifest.repeated_takes {
            0 => "No take repeats another one.".to_owned(),
            1 => "1 take repeats another one and stands on its side.".to_owned(),
            several => format!("{several} takes repeat another one and stand on its side."),
        }
    )?;
    table(out, "Tracks", "sequences", &contents.tracks)?;
    table(out, "Keys, as estimated from the notes", "sequences", &contents.keys)?;
    table(out, "Sample rates, Hz", "sequences", &contents.sample_rates)?;
    if let Some((slowest, fastest)) = contents.tempo {
        writeln!(out, "Tempo: {slowest:.1} to {fastest:.1} quarter notes per minute.\n")?;
    }

    writeln!(out, "## Whose it is\n")?;
    table(out, "Contributor", "sequences", &contents.contributors)?;
    table(out, "Licence", "sequences", &contents.licences)?;
    table(out, "Consent, in the words that were shown", "sequences", &contents.consents)?;
    if contents.consents.contains_key("") {
        writeln!(out, "Sequences without stated consent are here because the person who exported called them their own.\n")?;
    }

    writeln!(out, "## What is not in it\n")?;
    if manifest.left_out.is_empty() && contents.skipped.is_empty() && manifest.broken.is_empty() {
        writeln!(out, "No window was left out.\n")?;
    } else {
        let left_out = manifest.left_out.iter().map(|(reason, count)| (reason.words().to_owned(), *count)).collect();
        table(out, "Windows left out", "how many", &left_out)?;
        for (title, list) in [
            ("Sequences that could not be made", contents.skipped.iter().map(|skipped| &skipped.why).collect::<Vec<_>>()),
            ("Recordings that could not be read", manifest.broken.iter().collect()),
        ] {
            if !list.is_empty() {
                writeln!(out, "{title}:\n")?;
                list.iter().try_for_each(|why| writeln!(out, "- {}", plain(why)))?;
                writeln!(out)?;
            }
        }
    }

    writeln!(out, "## How it was made\n")?;
    write!(out, "{} audio, MIDI and transport, each with its sample. Windows were cut from gapless stretches", recorded(contents))?;
    match settings.min_midi_events {
        0 => write!(out, ".")?,
        fewest => write!(out, ", with at least {fewest} MIDI events.")?,
    }
    if features {
        write!(
            out,
            " Features: {} MFCC, {} chroma, {} mel bands, frames of {} samples each {} samples, by the definitions of librosa 0.11.",
            settings.mfcc_n, settings.chroma_n, settings.n_mels, settings.n_fft, settings.hop_length
        )?;
    }
    writeln!(out, "\n")?;
    if contents.notes > 0 {
        table(out, "Notes were aligned with the audio by", "sources", &contents.alignments)?;
        write!(out, "The largest uncertainty of an alignment is {:.1} ms. ", contents.worst_uncertainty_seconds * 1e3)?;
    }
    writeln!(out, "`manifest.json` has all settings and the checksum of every file.")
}

/// Who recorded, as the begin of a sentence.
fn recorded(contents: &Contents) -> &'static str {
    let of_files = contents.hosts.keys().filter(|host| *host == FILES).count();
    match (of_files, contents.hosts.len() - of_files) {
        (0, _) => "A plugin on the tracks of a DAW recorded",
        (_, 0) => "`send-learn-send` sent files of",
        _ => "A plugin on the tracks of a DAW recorded, and `send-learn-send` sent from files,",
    }
}

fn table(out: &mut String, title: &str, unit: &str, counts: &BTreeMap<String, u64>) -> std::fmt::Result {
    if counts.is_empty() {
        return Ok(());
    }
    writeln!(out, "| {title} | {unit} |\n| --- | --- |")?;
    for (name, count) in counts {
        writeln!(out, "| {} | {count} |", if name.is_empty() { "(not stated)".to_owned() } else { plain(name) })?;
    }
    writeln!(out)
}

/// What people typed, as text alone: it must not break the table, and hubs show the card as a web page.
fn plain(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(['\n', '\r'], " ");
    ['\\', '|', '[', ']', '`', '*', '_'].into_iter().fold(text, |text, sign| text.replace(sign, &format!("\\{sign}")))
}

/// A YAML string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_typed_is_shown_as_they_typed_it() {
        assert_eq!(plain("Ada & Bob's <b>|\n[x](y)"), "Ada &amp; Bob's &lt;b&gt;\\| \\[x\\](y)");
        assert_eq!(plain("CC-BY-4.0"), "CC-BY-4.0");
    }

    #[test]
    fn files_that_were_sent_are_not_called_a_daw() {
        let of = |hosts: &[&str]| {
            let hosts = hosts.iter().map(|host| ((*host).to_owned(), 1)).collect();
            recorded(&Contents { hosts, ..Contents::default() })
        };
        assert_eq!(of(&["REAPER"]), "A plugin on the tracks of a DAW recorded");
        assert_eq!(of(&[FILES]), "`send-learn-send` sent files of");
        assert!(of(&["Bitwig", FILES]).contains("DAW") && of(&["Bitwig", FILES]).contains(FILES));
    }
}
