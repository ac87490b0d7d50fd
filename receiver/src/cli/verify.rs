//! `send-learn verify`.

use std::path::Path;
use std::process::ExitCode;

use send_learn::store::verify::verify;

pub(super) fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let files = super::recordings(path)?;
    let mut bad = 0;
    for file in &files {
        match verify(file) {
            Ok(verdict) => {
                let gaps = match verdict.gap_frames {
                    0 => "no gaps".to_owned(),
                    frames => format!("{frames} frames missing, as its gaps say"),
                };
                let blocks = format!("{} blocks checked, {gaps}", verdict.checked_blocks);
                println!("{}: {} ({blocks})", file.display(), if verdict.is_good() { "good" } else { "BAD" });
                verdict.problems.iter().for_each(|problem| println!("  problem: {problem}"));
                verdict.notes.iter().for_each(|note| println!("  note: {note}"));
                bad += usize::from(!verdict.is_good());
            }
            Err(error) => {
                println!("{}: BAD", file.display());
                println!("  problem: it cannot be read, so it is cut off, damaged or no recording: {error}");
                bad += 1;
            }
        }
    }
    if files.len() > 1 {
        println!("{} of {} recordings are good", files.len() - bad, files.len());
    }
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
