//! `send-learn prune`.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use clap::Args;
use send_learn::prune::{Rule, choose, remove, tidy};
use send_learn::session::index;

use super::{DataFolder, table};

/// What may go.
///
/// Only whole takes that are complete are removed, never open, interrupted or damaged ones, nor a folder in which anything else lies.
#[derive(Debug, Args)]
pub(super) struct PruneOptions {
    /// Takes that were finished more than so many days ago.
    #[arg(long, value_name = "DAYS", value_parser = days)]
    older_than: Option<Duration>,
    /// The oldest takes, until so much of the disk is free: a number with kB, MB, GB or TB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    keep_free: Option<u64>,
    /// Only say what would go.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    data: DataFolder,
}

const DAY: f64 = 86_400.0;

fn days(text: &str) -> Result<Duration, String> {
    let days: f64 = text.parse().map_err(|_| "a number of days".to_owned())?;
    if days < 0.0 {
        Err("a number of days".to_owned())
    } else {
        Duration::try_from_secs_f64(days * DAY).map_err(|error| error.to_string())
    }
}

fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let number = text.trim_end_matches(|character: char| character.is_ascii_alphabetic()).trim_end();
    let factor = match text[number.len()..].trim() {
        "" | "B" => 1.0,
        "kB" | "k" | "K" => 1e3,
        "MB" | "M" => 1e6,
        "GB" | "G" => 1e9,
        "TB" | "T" => 1e12,
        unit => return Err(format!("{unit} is no unit: kB, MB, GB or TB")),
    };
    let number: f64 = number.parse().map_err(|_| "a number with kB, MB, GB or TB".to_owned())?;
    if number >= 0.0 && number * factor < 1e18 {
        Ok((number * factor) as u64)
    } else {
        Err("a number with kB, MB, GB or TB".to_owned())
    }
}

pub(super) fn run(options: PruneOptions) -> anyhow::Result<ExitCode> {
    if options.older_than.is_none() && options.keep_free.is_none() {
        bail!("say what may go: --older-than DAYS, --keep-free SIZE, or both");
    }
    let data = options.data.path()?;
    let rule = Rule { older_than: options.older_than, keep_free: options.keep_free, spare: Duration::ZERO };
    let choice = choose(&data, rule, SystemTime::now())?;
    let mut out = io::stdout().lock();
    for (folder, what) in &choice.left {
        writeln!(out, "stays, for {} lies in it: {}", table::clean(what), table::clean(&folder.display().to_string()))?;
    }
    let mut rows = vec![["FINISHED (UTC)", "NAME", "SIZE", "FOLDER"].map(str::to_owned).to_vec()];
    for take in &choice.chosen {
        let finished = take.finished.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        let folder = take.folder.strip_prefix(&data).unwrap_or(&take.folder).display().to_string();
        rows.push(vec![table::time(finished), take.name.clone(), table::size(take.bytes), folder]);
    }
    let bytes: u64 = choice.chosen.iter().map(|take| take.bytes).sum();
    let what = format!("{}, {}", table::count(choice.chosen.len() as u64, "take"), table::size(bytes));
    if choice.chosen.is_empty() {
        writeln!(out, "nothing to remove")?;
    } else {
        table::print(&mut out, &rows)?;
    }
    if choice.lacking > 0 {
        writeln!(out, "then {} would still be lacking: no other take is finished", table::size(choice.lacking))?;
    }
    if choice.chosen.is_empty() || options.dry_run {
        if options.dry_run && !choice.chosen.is_empty() {
            writeln!(out, "would remove {what}")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if !options.yes && !confirmed(&mut out, &what)? {
        writeln!(out, "nothing was removed")?;
        return Ok(ExitCode::FAILURE);
    }
    let mut failed = 0;
    for take in &choice.chosen {
        if let Err(error) = remove(take) {
            failed += 1;
            eprintln!("send-learn: {} could not be removed: {error}", take.folder.display());
        }
    }
    writeln!(out, "removed {}", table::count((choice.chosen.len() - failed) as u64, "take"))?;
    if let Err(error) = index(&data, |_| {}).map_err(anyhow::Error::from).and_then(|_| Ok(tidy(&data)?)) {
        eprintln!("send-learn: the sessions' indices still name what was removed: {error}");
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Asks a person. Where there is none, the answer is no.
fn confirmed(out: &mut impl Write, what: &str) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        writeln!(out, "say --yes to remove {what}")?;
        return Ok(false);
    }
    write!(out, "Remove {what}? They cannot be brought back. Type yes: ")?;
    out.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_days_are_read_as_people_write_them() {
        assert_eq!(size("500 GB"), Ok(500_000_000_000));
        assert_eq!(size("1.5TB"), Ok(1_500_000_000_000));
        assert_eq!(size("10"), Ok(10));
        assert!(size("10 pounds").is_err() && size("-1").is_err() && size("").is_err() && size("1e30").is_err());
        assert_eq!(days("0.5"), Ok(Duration::from_secs(43_200)));
        assert!(days("-1").is_err() && days("soon").is_err() && days("inf").is_err());
    }
}
