//! How quickly a receiver is back after kill -9: until senders are heard again, and until all files are made again.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use send_learn::journal::{Frame, Journal, segment_path, segments};
use send_learn::names::Names;
use send_learn::queue::Queue;
use send_learn::recorder::{self, Command, Config, Report};
use send_learn::settings::Tunable;
use send_learn::take::{Take, create_folder, folder_for};
use send_learn::timeline::crc_of;
use send_learn_benches::music::{RATE, music};
use send_learn_protocol::record::pack::Packer;
use send_learn_protocol::record::{Block, Record, source_number};
use send_learn_protocol::tap::Arrival;
use send_learn_protocol::units::{HostNanos, SamplePosition, SessionId, SourceNumber};

use super::paths::description;
use super::row;

const TAKES: usize = 8;

/// Sound in each take's journal.
const LENGTH: Duration = Duration::from_secs(90);

pub(super) fn start_up() -> Result<()> {
    let music = music("float32")?;
    for features in [false, true] {
        let data = tempfile::tempdir()?;
        let bytes = journals(data.path(), &music)?;
        let (reports, said) = mpsc::sync_channel(1_000);
        let commands = Queue::new(0);
        let tunable = Tunable { features, ..Tunable::default() };
        let config = Config { data: data.path().to_owned(), tunable, names: Names::default(), max_takes: 2 * TAKES };
        let begin = Instant::now();
        let thread = recorder::start(config, commands.clone(), Box::new(move |report| drop(reports.send(report))))?;
        commands.push(Command::Open { session: SessionId(1), description: Box::new(description()) });
        wait(&said, |report| matches!(report, Report::Accepted { .. }))?;
        let heard = begin.elapsed().as_secs_f64();
        commands.push(Command::Stop);
        wait(&said, |report| matches!(report, Report::Stopped))?;
        let whole = begin.elapsed().as_secs_f64();
        thread.join().map_err(|_| anyhow::anyhow!("the recorder panicked"))?;
        let speed = |seconds: f64| format!("{:.0} MB of journal per second", bytes as f64 / 1e6 / seconds);
        let note = format!("{TAKES} takes of {} s, {:.0} MB", LENGTH.as_secs(), bytes as f64 / 1e6);
        if !features {
            row("start-up repair: until senders are heard", &speed(heard), &note, "-", "at least 200 MB per second")?;
        }
        let with = if features { "with features" } else { "without features" };
        row(&format!("until all files are made, checked and closed, {with}"), &speed(whole), &note, "-", "-")?;
    }
    Ok(())
}

fn wait(said: &mpsc::Receiver<Report>, is_it: impl Fn(&Report) -> bool) -> Result<()> {
    loop {
        match said.recv_timeout(Duration::from_secs(300)).context("the recorder says nothing")? {
            report if is_it(&report) => return Ok(()),
            Report::Refused { reason, .. } => bail!("refused: {reason}"),
            _ => {}
        }
    }
}

/// Takes as a receiver leaves them that was killed; their journals' bytes.
fn journals(data: &std::path::Path, music: &[Vec<f32>; 2]) -> Result<u64> {
    let mut bytes = 0;
    for number in 0..TAKES {
        let description = description();
        let folder = folder_for(data, &description);
        create_folder(data, &folder)?;
        Take::new(&description).save(&folder)?;
        let mut journal = Journal::create(&folder, description.take, 1)?;
        let mut packer = Packer::new(SourceNumber(0));
        for block in 0..LENGTH.as_secs() * u64::from(RATE) / 512 {
            let at = (block as usize * 512 + number * 100_003) % (music[0].len() - 512);
            let samples: Vec<f32> = (at..at + 512).flat_map(|frame| [music[0][frame], music[1][frame]]).collect();
            let position = SamplePosition(block * 512);
            packer.push_audio(position, 2, &samples);
            packer.push(&Record::Block(Block { position, frames: 512, crc: crc_of(&samples), host: HostNanos(1), playhead: None }));
            packer.flush();
            while let Some(entry) = packer.pop() {
                let number = source_number(&entry).context("an entry without a number")?;
                journal.append(&Frame::Entry { number, arrival: Arrival::Live, arrived: HostNanos(7), entry: &entry });
            }
            if block % 1_000 == 0 {
                journal.sync()?;
            }
        }
        journal.sync()?;
        drop(journal);
        for segment in segments(&folder)? {
            bytes += segment_path(&folder, segment).metadata()?.len();
        }
    }
    Ok(bytes)
}
