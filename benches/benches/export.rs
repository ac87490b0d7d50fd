//! What does an export cost? An hour of four stereo streams of real music, exported in several formats, each by a process of its own:
//! time, CPU time, memory; beside what it costs on this machine to read (inflate) those samples, to compress them as an
//! HDF5 file is compressed, and to write as many bytes as the export has.
//!
//!     cargo bench -p send-learn-benches --bench export [-- MINUTES]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use send_learn::export::{Request, export};
use send_learn::sequences::{Plan, Settings};
use send_learn::source::{Sources, files};
use send_learn::store::PartWriter;
use send_learn::store::layout::{BlockRow, MidiRow, TransportRow};
use send_learn::store::writer::Part;
use send_learn::timeline::{Batch, Faults, Piece, crc_of};
use send_learn_benches::music::{RATE, music};
use send_learn_benches::process::{Usage, finish, report_usage, role};
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::units::{HostId, HostNanos, MachineId, StreamId, TakeId};
use send_learn_tests::piece;
use send_learn_tests::score::Score;

const STREAMS: u8 = 4;

/// Frames of a host block.
const BLOCK: usize = 512;

/// Formats, with and without samples.
const EXPORTS: [(&str, bool); 5] =
    [("pytorch", false), ("pytorch", true), ("hdf5", true), ("midi+audio", true), ("parquet", false)];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["record", data, minutes] => record(Path::new(data), minutes.parse()?),
        ["read", data] => read(Path::new(data)),
        ["compress", data] => compress(Path::new(data)),
        ["write", out, bytes] => write(Path::new(out), bytes.parse()?),
        ["export", data, format, audio, out] => run(Path::new(data), format, audio == "true", Path::new(out)),
        [minutes] => figures(minutes.parse().context("give a number of minutes")?),
        [] => figures(60),
        _ => bail!("usage: cargo bench -p send-learn-benches --bench export [-- MINUTES]"),
    }
}

fn figures(minutes: u64) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let path = |path: &Path| path.to_str().map(str::to_owned).context("the folder for temporary files has no usual name");
    let data_name = path(&data)?;
    eprintln!("recording {STREAMS} streams of {minutes} minutes ...");
    finish(role(&["record", &data_name, &minutes.to_string()])?)?;
    let recorded = size(&data)?;
    let cores = thread::available_parallelism()?;
    println!("{STREAMS} stereo streams of {minutes} minutes, float32, {RATE} Hz: {:.2} GB; {cores} cores\n", recorded as f64 / 1e9);
    println!("| what | time | CPU time | peak memory | written |\n| --- | --- | --- | --- | --- |");
    let row = |what: &str, arguments: &[&str], out: Option<&Path>| {
        let begin = Instant::now();
        let usage = finish(role(arguments)?)?;
        let seconds = begin.elapsed().as_secs_f64();
        let written = out.map_or(Ok(0), size)?;
        println!("| {what} | {seconds:.1} s | {:.1} s | {:.0} MB | {:.2} GB |", usage.cpu, usage.peak_mb, written as f64 / 1e9);
        std::io::stdout().flush()?;
        anyhow::Ok(written)
    };
    row("read all samples (inflate), one thread", &["read", &data_name], None)?;
    row("the same, and compress them as HDF5 does, one thread", &["compress", &data_name], None)?;
    let mut most = 0;
    for (format, audio) in EXPORTS {
        let out = folder.path().join(format!("{format}-{audio}"));
        let what = if audio { format!("export {format} --audio") } else { format!("export {format}") };
        let written = row(&what, &["export", &data_name, format, if audio { "true" } else { "false" }, &path(&out)?], Some(&out))?;
        most = most.max(written);
        fs::remove_dir_all(&out)?;
    }
    let out = folder.path().join("bytes");
    row("write and sync as much as the largest of these", &["write", &path(&out)?, &most.to_string()], None)?;
    Ok(())
}

/// Bytes of all files below `folder`.
fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for item in fs::read_dir(folder)? {
        let item = item?;
        bytes += if item.file_type()?.is_dir() { size(&item.path())? } else { item.metadata()?.len() };
    }
    Ok(bytes)
}

/// Writes the takes, as the receiver does. Each plays the piece over and over, from another place.
fn record(data: &Path, minutes: u64) -> Result<()> {
    let before = Usage::own()?;
    let [left, right] = music("float32")?;
    let score = Score::parse(&piece::file()?, RATE)?;
    let loop_frames = left.len() / BLOCK * BLOCK;
    for number in 1..=STREAMS {
        let folder = data.join("2026-01-01").join(format!("{number:06}-track"));
        fs::create_dir_all(&folder)?;
        let description = Description {
            stream: StreamId([number; 16]),
            take: TakeId([number; 16]),
            host: HostId([1; 16]),
            machine: MachineId([1; 16]),
            sample_rate: f64::from(RATE),
            channels: 2,
            max_block: BLOCK as u32,
            started_unix_nanos: 1_790_000_000_000_000_000,
            started: HostNanos(1),
            properties: vec![(PropertyKey::NAME, format!("Track {number}")), (PropertyKey::CONSENT, "Yes.".into())],
        };
        let path = folder.join(format!("track-{number}-0001.h5"));
        let mut writer = PartWriter::create(&path, &description, Part::FIRST)?;
        let blocks = minutes * 60 * u64::from(RATE) / BLOCK as u64;
        for block in 0..blocks {
            let position = block * BLOCK as u64;
            let offset = (block as usize + usize::from(number) * 97) * BLOCK % loop_frames;
            let frames = left[offset..offset + BLOCK].iter().zip(&right[offset..offset + BLOCK]);
            let samples: Vec<f32> = frames.flat_map(|(left, right)| [*left, *right]).collect();
            let row = BlockRow {
                sample: position,
                frames: BLOCK as u32,
                crc: crc_of(&samples),
                host_nanos: position * 1_000_000_000 / u64::from(RATE),
                arrival_nanos: 0,
                playhead: position as i64,
                arrival: 0,
                level: 1.0,
            };
            let played = score.events.iter().filter(|event| (offset..offset + BLOCK).contains(&(event.sample as usize)));
            let midi = played.filter_map(|event| match event.bytes[..] {
                [status, data1, data2] => Some(MidiRow {
                    sample: position + event.sample - offset as u64,
                    status,
                    data1,
                    data2,
                    kind: 0,
                    note_id: -1,
                    value: 0.0,
                    sysex_offset: 0,
                    sysex_length: 0,
                }),
                _ => None,
            });
            let midi = midi.collect();
            let seconds = position as f64 / f64::from(RATE);
            let transport = TransportRow {
                sample: position,
                flags: 1 | 0b1_1111 << 3,
                numerator: 4,
                denominator: 4,
                bar: 0,
                tempo: 120.0,
                playhead: position as i64,
                seconds,
                ppq: seconds * 2.0,
                bar_start: 0.0,
                loop_start: 0.0,
                loop_end: 0.0,
            };
            let transport = if block % 94 == 0 { vec![transport] } else { Vec::new() };
            let audio = vec![Piece::Samples(samples)];
            writer.append(Batch { audio, blocks: vec![row], midi, transport, ..Batch::default() })?;
        }
        writer.finish("stopped", blocks * BLOCK as u64, Faults::default())?;
    }
    report_usage(&before)
}

fn open(data: &Path) -> Result<Sources> {
    let sources = Sources::open_unchanged(&files(data)?);
    ensure!(sources.takes.len() == usize::from(STREAMS), "{} takes", sources.takes.len());
    Ok(sources)
}

/// Hands over all samples, ten seconds at a time.
fn each_piece(data: &Path, mut take: impl FnMut(&[f32]) -> Result<()>) -> Result<()> {
    let before = Usage::own()?;
    let piece = u64::from(RATE) * 10;
    for source in &open(data)?.takes {
        let end = source.end();
        for begin in (0..end).step_by(piece as usize) {
            take(&source.audio(begin..end.min(begin + piece))?)?;
        }
    }
    report_usage(&before)
}

fn read(data: &Path) -> Result<()> {
    each_piece(data, |samples| {
        std::hint::black_box(samples);
        Ok(())
    })
}

fn compress(data: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = hdf5::File::create(folder.path().join("samples.h5"))?;
    let dataset = file.new_dataset::<f32>().chunk((16_384, 2)).shuffle().deflate(1).shape((0.., 2)).create("audio")?;
    let mut rows = 0;
    each_piece(data, |samples| {
        let more = samples.len() / 2;
        dataset.resize((rows + more, 2))?;
        let samples = ndarray::ArrayView2::from_shape((more, 2), samples)?;
        dataset.write_slice(samples, (rows..rows + more, ..))?;
        rows += more;
        Ok(())
    })
}

fn write(out: &Path, bytes: u64) -> Result<()> {
    let before = Usage::own()?;
    let block = vec![0x5A; 1 << 20];
    let mut file = File::create(out)?;
    for _ in 0..bytes.div_ceil(1 << 20) {
        file.write_all(&block)?;
    }
    file.sync_all()?;
    report_usage(&before)
}

fn run(data: &Path, format: &str, audio: bool, out: &Path) -> Result<()> {
    let before = Usage::own()?;
    let (sources, settings) = (open(data)?, Settings::default());
    let plan = Plan::new(&sources, &settings);
    let threads = thread::available_parallelism()?.get();
    let request = Request { sources: &sources, plan: &plan, settings: &settings, out, audio, file_limit: 2_000_000_000, threads };
    let manifest = export(format, &request, &|_| ())?;
    ensure!(manifest.contents.total() > 0 && manifest.contents.skipped.is_empty(), "sequences are missing");
    report_usage(&before)
}
