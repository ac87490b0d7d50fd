//! How open streams stand, as a table.

use send_learn::status::StreamStatus;

use super::table::{clean, columns, duration};

/// What is said where there are none.
pub(super) const NO_STREAM: &str = "no stream is open: put Send Learn on a track, or try send-learn-send --wav SONG.wav";

/// Longer than a name is shown.
const NAME: usize = 24;

const TITLES: [&str; 12] =
    ["STREAM", "MACHINE", "STATE", "LENGTH", "SOUND", "MIDI", "RATE", "LEVEL", "LOSS", "LATE", "DELAY", "NOT YET ON DISK"];

/// The table's lines: the titles, then one for each stream.
pub(super) fn lines(streams: &[StreamStatus]) -> Vec<String> {
    let titles = TITLES.map(str::to_owned).to_vec();
    columns(&std::iter::once(titles).chain(streams.iter().map(row)).collect::<Vec<_>>())
}

/// Whether nothing needs looking at.
pub(super) fn is_well(stream: &StreamStatus) -> bool {
    state(stream) == "recording"
}

/// In a word, how the stream fares.
fn state(stream: &StreamStatus) -> &'static str {
    if stream.not_yet_durable > 5.0 {
        "disk is slow"
    } else if stream.owed > 0 {
        "catching up"
    } else if stream.late > 0.01 {
        "lossy"
    } else {
        "recording"
    }
}

fn row(stream: &StreamStatus) -> Vec<String> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let sound = match stream.rms {
        None => "-".to_owned(),
        Some(rms) if rms < 1e-6 => "silent".to_owned(),
        Some(rms) => format!("{:.0} dB", 20.0 * rms.log10()),
    };
    vec![
        short(if stream.name.is_empty() { "(no name)" } else { &stream.name }),
        short(&stream.machine),
        state(stream).to_owned(),
        duration(stream.recorded),
        sound,
        stream.midi_events.to_string(),
        format!("{:.2} Mbit/s", stream.bits_per_second / 1e6),
        format!("{:.1}", stream.level),
        percent(stream.loss),
        percent(stream.late),
        stream.delay_ms.map_or("-".to_owned(), |delay| format!("{delay:.1} ms")),
        format!("{:.1} s", stream.not_yet_durable),
    ]
}

/// The name, cut where it is too long; what would move the cursor is left out.
fn short(name: &str) -> String {
    let name = clean(name);
    if name.chars().count() <= NAME { name } else { name.chars().take(NAME - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> StreamStatus {
        StreamStatus {
            take: String::new(),
            name: "Lead\x1b[2J vox".to_owned(),
            machine: "studio".to_owned(),
            peer: "127.0.0.1:9".parse().unwrap(),
            sample_rate: 48_000.0,
            channels: 2,
            recorded: 61.0,
            rms: Some(0.1),
            midi_events: 12,
            level: 1.0,
            loss: 0.0,
            late: 0.0,
            bits_per_second: 3.1e6,
            jitter_ms: 0.0,
            delay_ms: None,
            not_yet_durable: 0.0,
            repaired: 0,
            resent: 0,
            owed: 0,
            gap_frames: 0,
        }
    }

    #[test]
    fn a_stream_is_a_line_of_figures_in_words() {
        let lines = lines(&[stream()]);
        assert_eq!(lines.len(), 2);
        let cells: Vec<&str> = lines[1].split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        let figures = ["recording", "1:01.0", "-20 dB", "12", "3.10 Mbit/s", "1.0", "0.0 %", "0.0 %", "-", "0.0 s"];
        assert_eq!(cells, [&["Lead[2J vox", "studio"][..], &figures].concat());
    }

    #[test]
    fn what_needs_looking_at_is_said() {
        let with = |change: &dyn Fn(&mut StreamStatus)| {
            let mut stream = stream();
            change(&mut stream);
            (state(&stream), is_well(&stream))
        };
        assert_eq!(with(&|_| ()), ("recording", true));
        assert_eq!(with(&|stream| stream.owed = 3), ("catching up", false));
        assert_eq!(with(&|stream| stream.not_yet_durable = 6.0), ("disk is slow", false));
        assert_eq!(with(&|stream| stream.late = 0.1), ("lossy", false));
    }
}
