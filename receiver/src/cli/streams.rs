//! How open streams stand, as a table.

use send_learn::disk::{DiskState, DiskStatus};
use send_learn::status::StreamStatus;

use super::table::{clean, columns, duration};

/// What is said where there are none.
pub(super) const NO_STREAM: &str = "no stream is open: put Send Learn on a track, or try send-learn-send --wav SONG.wav";

/// Longer than a name is shown.
const NAME: usize = 24;

const TITLES: [&str; 14] = [
    "#",
    "STREAM",
    "MACHINE",
    "STATE",
    "LENGTH",
    "SOUND",
    "MIDI",
    "RATE",
    "LEVEL",
    "LOSS",
    "LATE",
    "DELAY",
    "NOT YET ON DISK",
    "NOT YET IN FILE",
];

/// The table's lines: the titles, then one for each stream.
pub(super) fn lines(streams: &[StreamStatus]) -> Vec<String> {
    let titles = TITLES.map(str::to_owned).to_vec();
    let rows = streams.iter().zip(1..).map(|(stream, number)| row(number, stream));
    columns(&std::iter::once(titles).chain(rows).collect::<Vec<_>>())
}

/// What each stream is, as a table: for who wants to know which is which.
pub(super) fn identities(streams: &[StreamStatus]) -> Vec<String> {
    let titles = ["#", "STREAM", "MACHINE", "FROM", "RATE", "CHANNELS", "ID", "TAKE"].map(str::to_owned).to_vec();
    let row = |(stream, number): (&StreamStatus, usize)| {
        vec![
            number.to_string(),
            stream.name.clone(),
            stream.machine.clone(),
            stream.peer.to_string(),
            format!("{} Hz", stream.sample_rate),
            if stream.channels == 0 { "MIDI alone".to_owned() } else { stream.channels.to_string() },
            stream.stream.clone(),
            stream.take.clone(),
        ]
    };
    columns(&std::iter::once(titles).chain(streams.iter().zip(1..).map(row)).collect::<Vec<_>>())
}

/// How the disk stands: what is free, for how long that lasts at this rate, and what is wrong.
pub(super) fn disk_words(disk: &DiskStatus, streams: &[StreamStatus]) -> String {
    let free = disk.free.map_or_else(|| "disk unknown".to_owned(), |free| format!("{:.1} GB free", free as f64 / 1e9));
    let bits: f64 = streams.iter().map(|stream| stream.bits_per_second).sum();
    let hours = disk.free.map_or(0.0, |free| free as f64 * 8.0 / bits / 3_600.0);
    let lasts = match hours {
        hours if bits < 1.0 || hours > 24.0 * 365.0 => String::new(),
        hours if hours >= 48.0 => format!(", for {:.0} days of this", hours / 24.0),
        hours if hours >= 2.0 => format!(", for {hours:.0} hours of this"),
        hours => format!(", for {:.0} minutes of this", hours * 60.0),
    };
    match disk.state {
        DiskState::Good => format!("{free}{lasts}"),
        DiskState::Low => format!("LOW ON SPACE: {free}{lasts}"),
        DiskState::Paused => format!("RECORDING IS PAUSED: {}", disk.why),
    }
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

fn row(number: usize, stream: &StreamStatus) -> Vec<String> {
    let percent = |share: f64| format!("{:.1} %", share * 100.0);
    let sound = match stream.rms {
        None => "-".to_owned(),
        Some(rms) if rms < 1e-6 => "silent".to_owned(),
        Some(rms) => format!("{:.0} dB", 20.0 * rms.log10()),
    };
    vec![
        number.to_string(),
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
        format!("{:.1} MB", stream.not_yet_in_file as f64 / 1e6),
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
            stream: String::new(),
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
            marked: 0,
            bits_per_second: 3.1e6,
            jitter_ms: 0.0,
            delay_ms: None,
            not_yet_durable: 0.0,
            not_yet_in_file: 1_300_000,
            repaired: 0,
            resent: 0,
            owed: 0,
            gap_frames: 0,
            datagrams: 0,
            lost_datagrams: 0,
            bytes: 0,
            crc_mismatches: 0,
        }
    }

    #[test]
    fn a_stream_is_a_line_of_figures_in_words() {
        let lines = lines(&[stream()]);
        assert_eq!(lines.len(), 2);
        let cells: Vec<&str> = lines[1].split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        let figures = ["recording", "1:01.0", "-20 dB", "12", "3.10 Mbit/s", "1.0", "0.0 %", "0.0 %", "-", "0.0 s", "1.3 MB"];
        assert_eq!(cells, [&["1", "Lead[2J vox", "studio"][..], &figures].concat());
    }

    #[test]
    fn the_disk_says_how_long_it_lasts_and_what_is_wrong() {
        let disk = |state, why: &str| DiskStatus { state, free: Some(27_900_000_000), full: false, why: why.to_owned() };
        assert_eq!(disk_words(&disk(DiskState::Good, ""), &[stream()]), "27.9 GB free, for 20 hours of this");
        assert_eq!(disk_words(&disk(DiskState::Low, ""), &[]), "LOW ON SPACE: 27.9 GB free");
        assert_eq!(disk_words(&disk(DiskState::Paused, "full"), &[stream()]), "RECORDING IS PAUSED: full");
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
