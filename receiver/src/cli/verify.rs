//! `send-learn verify`.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use send_learn::store::verify::verify;

pub(super) fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let files = send_learn::source::files(path)?;
    let mut out = io::stdout().lock();
    let mut bad = 0;
    for file in &files {
        match verify(file) {
            Ok(verdict) => {
                let gaps = match verdict.gap_frames {
                    0 => "no gaps".to_owned(),
                    frames => format!("{frames} frames missing, as its gaps say"),
                };
                let blocks = format!("{} blocks checked, {gaps}", verdict.checked_blocks);
                // What is not finished may be sound so far, and still lacks its end.
                let (whole, words) = match (verdict.is_good(), verdict.finished) {
                    (true, true) => (true, "good"),
                    (true, false) => (false, "UNFINISHED, good so far"),
                    (false, _) => (false, "BAD"),
                };
                writeln!(out, "{}: {words} ({blocks})", file.display())?;
                verdict.problems.iter().try_for_each(|problem| writeln!(out, "  problem: {problem}"))?;
                verdict.notes.iter().try_for_each(|note| writeln!(out, "  note: {note}"))?;
                bad += usize::from(!whole);
            }
            Err(error) => {
                writeln!(out, "{}: BAD", file.display())?;
                writeln!(out, "  problem: it cannot be read, so it is cut off, damaged or no recording: {error}")?;
                bad += 1;
            }
        }
    }
    if files.len() > 1 {
        writeln!(out, "{} of {} recordings are whole and good", files.len() - bad, files.len())?;
    }
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
