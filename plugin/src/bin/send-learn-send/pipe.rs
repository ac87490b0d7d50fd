//! Sends what comes through standard input, as it comes.

use std::io::{BufReader, stdin};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use send_learn_plugin::capture::{Capture, CaptureConfig, Wanted, capture};
use send_learn_plugin::clock;
use send_learn_plugin::files::{Pipe, PipeError};
use send_learn_plugin::transport::Observed;
use send_learn_plugin::uplink::TakeConfig;
use send_learn_protocol::record::EndReason;
use send_learn_protocol::sender::SendMode;

use super::progress::Progress;
use super::{Options, STEP, Watch, address, describe, key, watch_interrupts};

/// Blocks that may wait between the pipe and the capture.
const WAITING: usize = 8;

/// How often the state is looked at while nothing comes.
const GLANCE: Duration = Duration::from_millis(20);

type Block = Result<Vec<Vec<f32>>, PipeError>;

/// True when all of it is durable, false when a person stopped it and all up to there is.
pub(crate) fn send(options: &Options) -> Result<bool> {
    options.to().parse::<address::Address>()?;
    let interrupts = watch_interrupts()?;
    let source = BufReader::new(stdin());
    let pipe = match options.raw {
        Some(form) => Pipe::raw(source, form),
        None => Pipe::wav(source)?,
    };
    let form = pipe.form();
    let config =
        CaptureConfig { sample_rate: f64::from(form.rate), channels: form.channels, max_block: options.block, patient: true };
    let blocks = read(pipe, options.block as usize)?;
    let uplink = key::uplink(options)?;
    let stream = uplink.open(options.to());
    let (audio, captured) = capture(config);
    let mode = if options.fast { SendMode::Fast } else { SendMode::Live };
    stream.start(TakeConfig { description: describe(options, &config)?, parameters: Vec::new(), mode }, captured);
    let mut watch = Watch::new(stream, interrupts, Progress::new(0, config.sample_rate), options);
    let performed = perform(&blocks, audio, config.sample_rate, &mut watch);
    if performed.is_err() {
        watch.leave();
    }
    performed
}

/// Reads the pipe on a thread of its own: it may wait for ever.
fn read(mut pipe: Pipe<BufReader<std::io::Stdin>>, block: usize) -> Result<Receiver<Block>> {
    let (sender, blocks) = sync_channel(WAITING);
    let work = move || {
        loop {
            let mut planar = Vec::new();
            let came = pipe.read(block, &mut planar);
            let over = !matches!(came, Ok(frames) if frames > 0);
            let block = match came {
                Ok(0) => return,
                Ok(_) => Ok(planar),
                Err(error) => Err(error),
            };
            // Nobody listens any more when a person has stopped it.
            if sender.send(block).is_err() || over {
                return;
            }
        }
    };
    std::thread::Builder::new().name("pipe".to_owned()).spawn(work).context("the system grants no thread")?;
    Ok(blocks)
}

fn perform(blocks: &Receiver<Block>, mut audio: Capture, rate: f64, watch: &mut Watch<'_>) -> Result<bool> {
    let complete = loop {
        if watch.look()? {
            break false;
        }
        let block = match blocks.recv_timeout(GLANCE) {
            Ok(block) => block?,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => break true,
        };
        let frames = block.first().map_or(0, Vec::len) as u32;
        while !audio.has_room(frames) {
            if watch.look()? {
                break;
            }
            std::thread::sleep(STEP);
        }
        let position = audio.position().0;
        let observed = Observed {
            playing: true,
            playhead: i64::try_from(position).ok(),
            seconds: Some(position as f64 / rate),
            ..Observed::default()
        };
        audio.begin(frames, clock::now(), &observed, Wanted::Captured);
        audio.end(&block);
    };
    let position = audio.position();
    if position.0 == 0 {
        bail!("nothing came through the pipe");
    }
    audio.finish(if complete { EndReason::EndOfFile } else { EndReason::Stopped });
    watch.until_durable(complete)?;
    watch.progress.finish(&watch.stream.report(), position, complete);
    Ok(complete)
}
