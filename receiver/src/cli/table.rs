//! Plain tables and figures for people.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

/// Prints rows in columns that are as wide as their longest cell. The first row is the head.
pub(super) fn print(out: &mut impl Write, rows: &[Vec<String>]) -> io::Result<()> {
    columns(rows).iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// A line for each row, with columns that are as wide as their longest cell.
pub(super) fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| cell.clone() + &" ".repeat(width - cell.width()));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// `1:02:03.4` or `2:03.4`.
pub(super) fn duration(seconds: f64) -> String {
    let tenths = (seconds * 10.0).round().max(0.0) as u64;
    let (hours, minutes, seconds) = (tenths / 36_000, tenths / 600 % 60, tenths % 600);
    let rest = format!("{:02}.{}", seconds / 10, seconds % 10);
    if hours > 0 { format!("{hours}:{minutes:02}:{rest}") } else { format!("{minutes}:{rest}") }
}

/// `2026-01-31 12:34:56` UTC of nanoseconds since 1970.
pub(super) fn time(unix_nanos: u64) -> String {
    let (date, time) = send_learn::take::date_and_time(unix_nanos / 1_000_000_000);
    format!("{date} {}:{}:{}", &time[..2], &time[2..4], &time[4..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_a_clock_does() {
        assert_eq!(duration(0.04), "0:00.0");
        assert_eq!(duration(59.97), "1:00.0");
        assert_eq!(duration(3_723.4), "1:02:03.4");
    }
}
