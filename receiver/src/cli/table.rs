//! Plain tables and figures for people.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

/// Prints rows in columns that are as wide as their longest cell. The first row is the head.
pub(super) fn print(out: &mut impl Write, rows: &[Vec<String>]) -> io::Result<()> {
    columns(rows).iter().try_for_each(|line| writeln!(out, "{line}"))
}

/// What came from the network or a file, without what would move the cursor, change colours or turn the line around.
pub(super) fn clean(text: &str) -> String {
    // Control characters, and those that override the direction of writing (Unicode Standard Annex 9).
    let turns =
        |character| matches!(character, '\u{200E}' | '\u{200F}' | '\u{061C}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|&character| !character.is_control() && !turns(character)).collect()
}

/// `1 sequence`, `2 sequences`.
pub(super) fn count(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// `12 kB` or `3.4 MB`.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        ..1_000 => count(bytes, "byte"),
        1_000..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

/// A line for each row, cells cleaned, with columns that are as wide as their longest cell.
pub(super) fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()).collect();
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
    fn nothing_in_a_cell_moves_the_cursor() {
        let rows = [vec!["NAME".to_owned(), "X".to_owned()], vec!["\x1b[2J\u{9b}31m\nBa\u{202e}ss".to_owned(), "1".to_owned()]];
        assert_eq!(columns(&rows), ["NAME        X", "[2J31mBass  1"].map(str::to_owned));
    }

    #[test]
    fn sizes_and_counts_read_as_people_say_them() {
        assert_eq!([1, 999, 12_400, 3_440_000].map(size), ["1 byte", "999 bytes", "12 kB", "3.4 MB"]);
        assert_eq!([0, 1, 2].map(|number| count(number, "take")), ["0 takes", "1 take", "2 takes"]);
    }

    #[test]
    fn durations_read_as_a_clock_does() {
        assert_eq!(duration(0.04), "0:00.0");
        assert_eq!(duration(59.97), "1:00.0");
        assert_eq!(duration(3_723.4), "1:02:03.4");
    }
}
