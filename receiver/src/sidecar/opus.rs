//! Audio as an Ogg Opus file (RFC 6716, RFC 7845): what it sounds like, in a tenth of the room.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use ogg::writing::{PacketWriteEndInfo, PacketWriter};
use opus::{Application, Bitrate, Channels, Encoder};
use rubato::audioadapter::Adapter;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler};

use super::{ArchiveError, samples};
use crate::store::Recording;

/// The rate of an Opus stream, as its granule positions count it (RFC 7845, section 4).
const RATE: u32 = 48_000;

/// Frames of a packet: 20 ms.
const PACKET: usize = 960;

/// Bits per second for each channel.
const BITS: i32 = 80_000;

/// The longest packet of one frame (RFC 6716, section 3.2.1).
const MAX_PACKET: usize = 1_275;

/// Frames that are resampled at once.
const CHUNK: usize = 1_024;

/// Writes all samples of a recording.
pub(super) fn write(from: &Recording, to: &Path) -> Result<(), ArchiveError> {
    let summary = &from.summary;
    let unfit = |why: String| ArchiveError::Unfit { path: from.path().to_owned(), why };
    let channels = match summary.channels {
        1 => Channels::Mono,
        2 => Channels::Stereo,
        more => return Err(unfit(format!("the profile opus is for one or two channels, it has {more}: take flac24"))),
    };
    let rate = summary.sample_rate;
    if rate.fract() != 0.0 || !(1_000.0..=768_000.0).contains(&rate) {
        return Err(unfit(format!(
            "the profile opus is for whole sample rates of 1,000 to 768,000 Hz, its is {rate}: take flac24"
        )));
    }
    let cannot = |why: &dyn std::fmt::Display| unfit(format!("its audio cannot be written as Opus: {why}"));
    let io = |source| ArchiveError::Io { path: to.to_owned(), source };
    let frames = (summary.frames as f64 * f64::from(RATE) / rate).round() as u64;
    let file = BufWriter::new(File::create_new(to).map_err(io)?);
    let mut stream = Stream::begin(file, channels, (rate as u32, frames), &summary.take_id).map_err(|error| cannot(&error))?;
    let mut resampling = if rate as u32 == RATE {
        None
    } else {
        Some(Resampling::new(rate as u32, channels as usize).map_err(|error| cannot(&error))?)
    };
    samples(from, |samples| {
        // What is beyond all reason would break the encoder; it takes a little headroom itself.
        let sane: Vec<f32> = samples.iter().map(|sample| if sample.is_finite() { sample.clamp(-2.0, 2.0) } else { 0.0 }).collect();
        match &mut resampling {
            None => stream.push(&sane).map_err(|error| cannot(&error)),
            Some(resampling) => resampling.push(&sane, |samples| stream.push(samples)).map_err(|error| cannot(&error)),
        }
    })?;
    if let Some(mut resampling) = resampling {
        resampling.finish(frames, |samples| stream.push(samples)).map_err(|error| cannot(&error))?;
    }
    let file = stream.finish().map_err(|error| cannot(&error))?;
    file.into_inner().map_err(|error| io(error.into_error()))?.sync_all().map_err(io)
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// An Opus stream on its way into a file.
struct Stream {
    encoder: Encoder,
    writer: PacketWriter<'static, BufWriter<File>>,
    channels: usize,
    waiting: Vec<f32>,
    /// Frames encoded.
    encoded: u64,
    /// Frames to be encoded: whole packets, of which a decoder leaves out the first few frames.
    whole: u64,
    serial: u32,
}

impl Stream {
    /// A stream of so many frames at 48 kHz, which were at another `rate` before.
    fn begin(file: BufWriter<File>, channels: Channels, (rate, frames): (u32, u64), take: &str) -> Result<Self, Failure> {
        let count = channels as usize;
        let mut encoder = Encoder::new(RATE, channels, Application::Audio)?;
        encoder.set_bitrate(Bitrate::Bits(BITS * count as i32))?;
        // As much silence goes before the first frame as makes the last packet whole: libsndfile 1.2.2 takes a stream for malformed of
        // whose last packet less than half counts.
        let lookahead = encoder.get_lookahead()? as u64;
        let whole = (lookahead + frames).next_multiple_of(PACKET as u64).max(PACKET as u64);
        let lead = whole - frames - lookahead;
        let skip = (whole - frames) as u16;
        let serial = crc32fast::hash(take.as_bytes());
        let mut writer = PacketWriter::new(file);
        let mut head = b"OpusHead\x01".to_vec();
        head.push(count as u8);
        head.extend(skip.to_le_bytes());
        head.extend(rate.to_le_bytes());
        // No gain; one stream, mono or stereo.
        head.extend([0, 0, 0]);
        writer.write_packet(head, serial, PacketWriteEndInfo::EndPage, 0)?;
        writer.write_packet(tags(take), serial, PacketWriteEndInfo::EndPage, 0)?;
        let waiting = vec![0.0; lead as usize * count];
        Ok(Self { encoder, writer, channels: count, waiting, encoded: 0, whole, serial })
    }

    fn push(&mut self, samples: &[f32]) -> Result<(), Failure> {
        self.waiting.extend_from_slice(samples);
        let packet = PACKET * self.channels;
        let mut begin = 0;
        // One packet stays: the last one ends the stream.
        while self.waiting.len() - begin > packet {
            self.encode(begin, PacketWriteEndInfo::NormalPacket)?;
            begin += packet;
        }
        self.waiting.drain(..begin);
        Ok(())
    }

    fn encode(&mut self, begin: usize, end: PacketWriteEndInfo) -> Result<(), Failure> {
        let packet = self.encoder.encode_vec_float(&self.waiting[begin..begin + PACKET * self.channels], MAX_PACKET)?;
        self.encoded += PACKET as u64;
        self.writer.write_packet(packet, self.serial, end, self.encoded)?;
        Ok(())
    }

    /// Ends the stream: behind its last frame is silence, until the encoder has given all.
    fn finish(mut self) -> Result<BufWriter<File>, Failure> {
        while self.encoded < self.whole {
            self.waiting.resize(self.waiting.len().max(PACKET * self.channels), 0.0);
            let last = self.encoded + PACKET as u64 >= self.whole;
            self.encode(0, if last { PacketWriteEndInfo::EndStream } else { PacketWriteEndInfo::NormalPacket })?;
            self.waiting.drain(..PACKET * self.channels);
        }
        Ok(self.writer.into_inner())
    }
}

/// The comment header (RFC 7845, section 5.2).
fn tags(take: &str) -> Vec<u8> {
    let mut tags = b"OpusTags".to_vec();
    let mut text = |text: &str| {
        tags.extend((text.len() as u32).to_le_bytes());
        tags.extend(text.as_bytes());
    };
    text(opus::version());
    let comment = format!("SEND_LEARN_TAKE={take}");
    tags.extend(1_u32.to_le_bytes());
    tags.extend((comment.len() as u32).to_le_bytes());
    tags.extend(comment.as_bytes());
    tags
}

/// Brings samples to 48 kHz.
struct Resampling {
    resampler: Fft<f32>,
    channels: usize,
    waiting: Vec<f32>,
    /// Frames that come out before the first sample does.
    delay: usize,
    given: u64,
}

impl Resampling {
    fn new(rate: u32, channels: usize) -> Result<Self, Failure> {
        let resampler = Fft::new(rate as usize, RATE as usize, CHUNK, channels, FixedSync::Input)?;
        Ok(Self { delay: resampler.output_delay(), resampler, channels, waiting: Vec::new(), given: 0 })
    }

    fn push(&mut self, samples: &[f32], mut give: impl FnMut(&[f32]) -> Result<(), Failure>) -> Result<(), Failure> {
        self.waiting.extend_from_slice(samples);
        loop {
            let needed = self.resampler.input_frames_next();
            if self.waiting.len() < needed * self.channels {
                return Ok(());
            }
            self.chunk(needed, None, u64::MAX, &mut give)?;
        }
    }

    /// Gives the rest, up to `frames` in all.
    fn finish(&mut self, frames: u64, mut give: impl FnMut(&[f32]) -> Result<(), Failure>) -> Result<(), Failure> {
        while self.given < frames {
            let held = self.waiting.len() / self.channels;
            self.waiting.resize(self.resampler.input_frames_next() * self.channels, 0.0);
            self.chunk(held, Some(held), frames, &mut give)?;
        }
        Ok(())
    }

    fn chunk(
        &mut self,
        frames: usize,
        partial: Option<usize>,
        limit: u64,
        give: &mut dyn FnMut(&[f32]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let input = InterleavedSlice::new(&self.waiting, self.channels, self.waiting.len() / self.channels)?;
        let indexing = Indexing { partial_len: partial, ..Indexing::default() };
        let output = self.resampler.process(&input, Some(&indexing))?;
        let count = output.frames();
        let output = output.take_data();
        self.waiting.drain(..(frames * self.channels).min(self.waiting.len()));
        if partial.is_some() {
            self.waiting.clear();
        }
        let skip = self.delay.min(count);
        self.delay -= skip;
        let wanted = u64::min((count - skip) as u64, limit - self.given) as usize;
        self.given += wanted as u64;
        give(&output[skip * self.channels..(skip + wanted) * self.channels])
    }
}
