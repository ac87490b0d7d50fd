//! The machine's sound output, on a thread of its own: opening a device can take long, and some must stay where they were opened.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{Device, FromSample, SampleFormat, SizedSample, Stream, StreamConfig};

use super::feed::{Feeder, Voice, ends};

/// How long a device stays open for the last fade.
const GOODBYE: Duration = Duration::from_millis(150);

/// Why nothing can be heard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// There is nothing to hear it on.
    #[error("this machine has no sound output")]
    NoDevice,
    /// The device refuses.
    #[error("the sound output cannot be used: {0}")]
    Device(String),
}

/// A device that is open, or about to be. Dropping it closes it.
#[derive(Debug)]
pub struct Output {
    told: Receiver<Result<Feeder, OutputError>>,
    /// The thread ends when this is gone.
    _open: SyncSender<()>,
}

impl Output {
    /// Opens the machine's own choice of a device, and does not wait for it.
    ///
    /// # Errors
    /// The system's error when no thread can be started.
    pub fn open() -> io::Result<Self> {
        // The device's feeder, and at most one word that it broke.
        let (tell, told) = sync_channel(2);
        let (open, closed) = sync_channel(0);
        thread::Builder::new().name("sound".into()).spawn(move || run(&tell, &closed))?;
        Ok(Self { told, _open: open })
    }

    /// What became of it, once: the feeder when it is open, or why it cannot be used any more.
    pub fn told(&self) -> Option<Result<Feeder, OutputError>> {
        match self.told.try_recv() {
            Ok(told) => Some(told),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(OutputError::NoDevice)),
        }
    }
}

fn run(tell: &SyncSender<Result<Feeder, OutputError>>, closed: &Receiver<()>) {
    match open(tell) {
        Ok((stream, feeder)) => {
            // Nobody listens any more if it cannot be told.
            let _ = tell.try_send(Ok(feeder));
            let _ = closed.recv();
            // The end of what is heard is faded out.
            thread::sleep(GOODBYE);
            drop(stream);
        }
        Err(error) => {
            let _ = tell.try_send(Err(error));
            let _ = closed.recv();
        }
    }
}

fn open(tell: &SyncSender<Result<Feeder, OutputError>>) -> Result<(Stream, Feeder), OutputError> {
    let device = cpal::default_host().default_output_device().ok_or(OutputError::NoDevice)?;
    let config = device.default_output_config().map_err(refused)?;
    let (feeder, voice) = ends(f64::from(config.sample_rate()));
    let format = config.sample_format();
    let config: StreamConfig = config.into();
    let stream = match format {
        SampleFormat::F32 => build::<f32>(&device, config, voice, tell),
        SampleFormat::F64 => build::<f64>(&device, config, voice, tell),
        SampleFormat::I16 => build::<i16>(&device, config, voice, tell),
        SampleFormat::I32 => build::<i32>(&device, config, voice, tell),
        SampleFormat::U8 => build::<u8>(&device, config, voice, tell),
        SampleFormat::U16 => build::<u16>(&device, config, voice, tell),
        other => Err(OutputError::Device(format!("it takes samples of the format {other}"))),
    }?;
    stream.play().map_err(refused)?;
    Ok((stream, feeder))
}

fn build<T: SizedSample + FromSample<f32>>(
    device: &Device,
    config: StreamConfig,
    mut voice: Voice,
    tell: &SyncSender<Result<Feeder, OutputError>>,
) -> Result<Stream, OutputError> {
    let channels = usize::from(config.channels.max(1));
    let tell = tell.clone();
    let fill = move |out: &mut [T], _: &cpal::OutputCallbackInfo| {
        for frame in out.chunks_mut(channels) {
            frame.fill(T::from_sample(voice.next_sample()));
        }
    };
    let broke = move |error: cpal::Error| {
        // A short hitch heals by itself.
        if !matches!(error.kind(), cpal::ErrorKind::Xrun | cpal::ErrorKind::RealtimeDenied) {
            let _ = tell.try_send(Err(refused(error)));
        }
    };
    device.build_output_stream(config, fill, broke, None).map_err(refused)
}

fn refused(error: cpal::Error) -> OutputError {
    OutputError::Device(error.to_string())
}
