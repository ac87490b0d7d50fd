//! Audio fragments (spec/wire-format.md, section 4.2): the samples of all channels over a run of frames, in the smallest form
//! that gives the same float32 back bit for bit.

use bytemuck::{Pod, Zeroable};
use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};

use super::{MAX_BODY, RecordError, preview, write_header};
use crate::le::{self, U16, U32, U64};
use crate::quality::Level;
use crate::units::SamplePosition;

pub(super) const KIND: u8 = 1;

/// The most samples (frames times channels) in one fragment.
pub const MAX_FRAGMENT_SAMPLES: usize = 65_536;

/// Set in the encoding byte when the data is an LZ4 block.
const LZ4: u8 = 0x80;

/// Floats that LZ4 does not make smaller by this share are sent as they are: less is not worth the time of both sides, and datagrams
/// of one length leave in one call of the system. Short fragments, in bytes, are alone in their call, and take every gain; so do all
/// where the network has had too little room.
const LEAST_GAIN: usize = 6;
const SHORT: usize = 512;

/// Then so many fragments of floats are not tried: half a second of stereo at 48 kHz.
const UNTRIED: u8 = 200;

/// How samples are laid out before compression. Those of entries are exact: the reader gets the float32 that the host gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum SampleFormat {
    /// All samples are +0.0; no data.
    Silence = 0,
    /// Samples are multiples of 2^-15 within [-1, 1): 16-bit integers.
    Pcm16 = 1,
    /// Samples are multiples of 2^-23 within [-1, 1): 24-bit integers.
    Pcm24 = 2,
    /// Any float32, NaN and infinities with their bits.
    Float32 = 3,
    /// Not exact, for previews: 12 bits below the peak of each channel.
    Preview12 = 4,
    /// Not exact, for previews: 8 bits below the peak of each channel, at half the rate.
    Preview8 = 5,
}

impl SampleFormat {
    /// The smallest format that represents every one of `samples` exactly.
    pub fn of(samples: &[f32]) -> Self {
        let mut format = Self::Silence;
        for &sample in samples {
            if sample.to_bits() == 0 {
                continue;
            }
            if format <= Self::Pcm16 && is_exact(sample, 32_768.0) {
                format = Self::Pcm16;
            } else if format <= Self::Pcm24 && is_exact(sample, 8_388_608.0) {
                format = Self::Pcm24;
            } else {
                return Self::Float32;
            }
        }
        format
    }

    /// The format of previews at a level; `None` for 1.0, at which entries are sent.
    pub fn of_level(level: Level) -> Option<Self> {
        match level {
            Level::Full => None,
            Level::Reduced => Some(Self::Preview12),
            Level::Coarse => Some(Self::Preview8),
        }
    }

    /// Bytes of one sample of an exact format before compression.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Silence => 0,
            Self::Pcm16 | Self::Preview12 => 2,
            Self::Pcm24 => 3,
            Self::Float32 => 4,
            Self::Preview8 => 1,
        }
    }

    /// Bytes of a fragment's data before compression.
    fn len(self, shape: Shape) -> usize {
        match self {
            Self::Preview12 => preview::len::<12>(shape),
            Self::Preview8 => preview::len::<8>(preview::halved(shape)),
            _ => shape.frames * shape.channels * self.bytes(),
        }
    }

    fn from_wire(code: u8) -> Option<Self> {
        [Self::Silence, Self::Pcm16, Self::Pcm24, Self::Float32, Self::Preview12, Self::Preview8]
            .into_iter()
            .find(|format| *format as u8 == code)
    }
}

/// Whether `sample` is `i / scale` for an integer `i` in [-scale, scale), and comes back with the same bits (so not -0.0).
fn is_exact(sample: f32, scale: f32) -> bool {
    let scaled = sample * scale;
    scaled >= -scale && scaled < scale && (scaled as i32 as f32 / scale).to_bits() == sample.to_bits()
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct AudioWire {
    position: U64,
    frames: U32,
    channels: U16,
    encoding: u8,
    reserved: u8,
}

const _: () = assert!(size_of::<AudioWire>() == 16);

/// The most bytes of sample data in one fragment.
pub(super) const MAX_DATA: usize = MAX_BODY - size_of::<AudioWire>();

/// A run of frames, borrowed from the entry it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioFragment<'a> {
    /// Where the first frame stands.
    pub position: SamplePosition,
    /// How many frames.
    pub frames: u32,
    /// How many channels: all of the stream's.
    pub channels: u16,
    /// How the samples are laid out.
    pub format: SampleFormat,
    compressed: bool,
    data: &'a [u8],
}

impl<'a> AudioFragment<'a> {
    pub(super) fn read(body: &'a [u8]) -> Result<Self, RecordError> {
        let (wire, data) = le::split::<AudioWire>(body).ok_or(RecordError::Truncated)?;
        let (frames, channels) = (wire.frames.value(), wire.channels.value());
        let samples = (frames as usize).checked_mul(usize::from(channels)).ok_or(RecordError::Invalid { field: "frame count" })?;
        if samples == 0 || samples > MAX_FRAGMENT_SAMPLES {
            return Err(RecordError::Invalid { field: "frame count" });
        }
        if wire.position.value().checked_add(u64::from(frames)).is_none() {
            return Err(RecordError::Invalid { field: "sample position" });
        }
        let format = SampleFormat::from_wire(wire.encoding & !LZ4).ok_or(RecordError::Invalid { field: "sample format" })?;
        let compressed = wire.encoding & LZ4 != 0;
        let shape = Shape { frames: frames as usize, channels: usize::from(channels) };
        if !compressed && data.len() != format.len(shape) {
            return Err(RecordError::Invalid { field: "sample data length" });
        }
        Ok(Self { position: SamplePosition(wire.position.value()), frames, channels, format, compressed, data })
    }

    /// The position after the last frame.
    pub fn end(&self) -> SamplePosition {
        SamplePosition(self.position.0 + u64::from(self.frames))
    }

    /// Appends the samples to `out`, interleaved by frame.
    ///
    /// # Errors
    /// [`RecordError::Compression`] when the data does not decompress to exactly the samples stated.
    pub fn decode(&self, out: &mut Vec<f32>) -> Result<(), RecordError> {
        let samples = self.frames as usize * usize::from(self.channels);
        let shape = Shape { frames: self.frames as usize, channels: usize::from(self.channels) };
        let mut buffer;
        let data = if self.compressed {
            buffer = vec![0; self.format.len(shape)];
            let len = lz4_flex::block::decompress_into(self.data, &mut buffer).map_err(|_| RecordError::Compression)?;
            if len != buffer.len() {
                return Err(RecordError::Compression);
            }
            &buffer[..]
        } else {
            self.data
        };
        out.reserve(samples);
        match self.format {
            SampleFormat::Silence => out.resize(out.len() + samples, 0.0),
            SampleFormat::Pcm16 => unshuffle_integers::<2>(data, shape, out),
            SampleFormat::Pcm24 => unshuffle_integers::<3>(data, shape, out),
            SampleFormat::Float32 => unshuffle_floats(data, shape, out),
            SampleFormat::Preview12 => preview::read::<12>(data, shape, out),
            SampleFormat::Preview8 => {
                let mut half = Vec::new();
                preview::read::<8>(data, preview::halved(shape), &mut half);
                preview::double(&half, shape, out);
            }
        }
        Ok(())
    }
}

/// Appends one audio record to `out`: `samples` are interleaved by frame and representable in `format`. `scratch` is working
/// memory, kept by the caller to be used again. False, and nothing is appended, when they do not fit into a record.
pub(super) fn write(
    out: &mut Vec<u8>,
    scratch: &mut Scratch,
    position: SamplePosition,
    channels: u16,
    format: SampleFormat,
    samples: &[f32],
) -> bool {
    let shape = Shape { frames: samples.len() / usize::from(channels), channels: usize::from(channels) };
    let plain = &mut scratch.plain;
    plain.clear();
    match format {
        SampleFormat::Silence => {}
        SampleFormat::Pcm16 => shuffle_integers::<2>(samples, shape, plain),
        SampleFormat::Pcm24 => shuffle_integers::<3>(samples, shape, plain),
        SampleFormat::Float32 => shuffle_floats(samples, shape, plain),
        SampleFormat::Preview12 => preview::write::<12>(samples, shape, plain),
        SampleFormat::Preview8 => preview::write::<8>(&preview::halve(samples, shape), preview::halved(shape), plain),
    }
    let smaller = scratch.compress(format);
    let data = smaller.map_or(&scratch.plain[..], |len| &scratch.packed[..len]);
    if data.len() > MAX_DATA {
        return false;
    }
    write_header(out, KIND, size_of::<AudioWire>() + data.len());
    out.extend_from_slice(bytemuck::bytes_of(&AudioWire {
        position: position.0.into(),
        frames: (shape.frames as u32).into(),
        channels: channels.into(),
        encoding: format as u8 | if smaller.is_some() { LZ4 } else { 0 },
        reserved: 0,
    }));
    out.extend_from_slice(data);
    true
}

/// What writing needs besides the samples. It is kept, so that a fragment allocates nothing.
#[derive(Default)]
pub(super) struct Scratch {
    /// The fragment's data.
    plain: Vec<u8>,
    /// The same as an LZ4 block, and some room.
    packed: Vec<u8>,
    table: CompressTable,
    /// Fragments of floats that are not tried.
    untried: u8,
    /// Whether every gain is taken.
    saves_bytes: bool,
}

impl std::fmt::Debug for Scratch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Scratch")
    }
}

impl Scratch {
    pub(super) fn save_bytes(&mut self) {
        self.saves_bytes = true;
    }

    /// Makes an LZ4 block of the data, if that is smaller, and worth it: its length.
    fn compress(&mut self, format: SampleFormat) -> Option<usize> {
        let floats = format == SampleFormat::Float32 && self.plain.len() >= SHORT && !self.saves_bytes;
        if floats && self.untried > 0 {
            self.untried -= 1;
            return None;
        }
        let wanted = if floats { self.plain.len() - self.plain.len() / LEAST_GAIN } else { self.plain.len() };
        // The compressor refuses a buffer that the worst of data would not fit into.
        self.packed.resize(get_maximum_output_size(self.plain.len()), 0);
        let len = compress_into_with_table(&self.plain, &mut self.packed, &mut self.table).ok()?;
        let smaller = len < wanted;
        if floats && !smaller {
            self.untried = UNTRIED;
        }
        smaller.then_some(len)
    }
}

/// Frames and channels of a fragment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) frames: usize,
    pub(super) channels: usize,
}

/// Integers of `N` bytes: per channel the difference to the frame before, wrapping; then all lowest bytes, all next bytes, and
/// so on. Differences of music are small, so the high bytes become runs that LZ4 finds.
fn shuffle_integers<const N: usize>(samples: &[f32], shape: Shape, out: &mut Vec<u8>) {
    let scale = (1_i32 << (8 * N - 1)) as f32;
    let count = samples.len();
    out.resize(count * N, 0);
    for channel in 0..shape.channels {
        let mut before = 0_i32;
        for frame in 0..shape.frames {
            let value = (samples[frame * shape.channels + channel] * scale) as i32;
            let difference = value.wrapping_sub(before).to_le_bytes();
            before = value;
            for (byte, plane) in difference.iter().zip(out.chunks_exact_mut(count)) {
                plane[channel * shape.frames + frame] = *byte;
            }
        }
    }
}

fn unshuffle_integers<const N: usize>(data: &[u8], shape: Shape, out: &mut Vec<f32>) {
    let bits = 8 * N as u32;
    let scale = (1_i32 << (bits - 1)) as f32;
    let count = shape.frames * shape.channels;
    let start = out.len();
    out.resize(start + count, 0.0);
    for channel in 0..shape.channels {
        let mut value = 0_i32;
        for frame in 0..shape.frames {
            let mut bytes = [0; 4];
            for (byte, plane) in bytes.iter_mut().zip(data.chunks_exact(count)) {
                *byte = plane[channel * shape.frames + frame];
            }
            // Differences wrap within N bytes: sign-extend after adding.
            value = (value.wrapping_add(i32::from_le_bytes(bytes)) << (32 - bits)) >> (32 - bits);
            out[start + frame * shape.channels + channel] = value as f32 / scale;
        }
    }
}

/// Floats: per channel, all lowest bytes, all next bytes, and so on.
fn shuffle_floats(samples: &[f32], shape: Shape, out: &mut Vec<u8>) {
    out.resize(samples.len() * 4, 0);
    let (lower, upper) = out.split_at_mut(samples.len() * 2);
    let ((first, second), (third, fourth)) = (lower.split_at_mut(samples.len()), upper.split_at_mut(samples.len()));
    for channel in 0..shape.channels {
        let run = channel * shape.frames..(channel + 1) * shape.frames;
        let places = first[run.clone()].iter_mut().zip(&mut second[run.clone()]);
        let places = places.zip(third[run.clone()].iter_mut().zip(&mut fourth[run]));
        for (sample, ((a, b), (c, d))) in samples[channel..].iter().step_by(shape.channels).zip(places) {
            [*a, *b, *c, *d] = sample.to_le_bytes();
        }
    }
}

fn unshuffle_floats(data: &[u8], shape: Shape, out: &mut Vec<f32>) {
    let (start, count) = (out.len(), shape.frames * shape.channels);
    out.resize(start + count, 0.0);
    let (lower, upper) = data.split_at(count * 2);
    let ((first, second), (third, fourth)) = (lower.split_at(count), upper.split_at(count));
    for channel in 0..shape.channels {
        let run = channel * shape.frames..(channel + 1) * shape.frames;
        let bytes = first[run.clone()].iter().zip(&second[run.clone()]).zip(third[run.clone()].iter().zip(&fourth[run]));
        let places = out[start + channel..].iter_mut().step_by(shape.channels);
        for (place, ((a, b), (c, d))) in places.zip(bytes) {
            *place = f32::from_le_bytes([*a, *b, *c, *d]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pack::Packer;
    use super::super::{Record, records};
    use super::*;
    use crate::units::SourceNumber;
    use proptest::prelude::*;

    fn round_trip(channels: u16, samples: &[f32]) -> (SampleFormat, Vec<f32>) {
        let mut packer = Packer::new(SourceNumber(0));
        packer.push_audio(SamplePosition(1_000), channels, samples);
        packer.flush();
        let (mut out, mut position, mut format) = (Vec::new(), 1_000, SampleFormat::Silence);
        while let Some(entry) = packer.pop() {
            for record in records(&entry) {
                let Record::Audio(fragment) = record.unwrap() else { panic!("only audio was written") };
                assert_eq!(fragment.position.0, position);
                position = fragment.end().0;
                format = fragment.format;
                fragment.decode(&mut out).unwrap();
            }
        }
        (format, out)
    }

    fn bits(samples: &[f32]) -> Vec<u32> {
        samples.iter().map(|sample| sample.to_bits()).collect()
    }

    #[test]
    fn each_format_is_chosen_where_it_is_exact() {
        assert_eq!(SampleFormat::of(&[0.0; 4]), SampleFormat::Silence);
        assert_eq!(SampleFormat::of(&[0.0, -1.0, 0.5, 32_767.0 / 32_768.0]), SampleFormat::Pcm16);
        assert_eq!(SampleFormat::of(&[0.5, 1.0 / 8_388_608.0]), SampleFormat::Pcm24);
        for float in [-0.0, 1.0, 0.1, f32::NAN, f32::INFINITY, 1.0e-40] {
            assert_eq!(SampleFormat::of(&[0.5, float]), SampleFormat::Float32, "{float}");
        }
    }

    proptest! {
        #[test]
        fn any_float_comes_back_bit_for_bit(channels in 1_u16..9, words in prop::collection::vec(any::<u32>(), 1..3_000)) {
            let frames = words.len() / usize::from(channels);
            let samples: Vec<f32> = words.iter().map(|word| f32::from_bits(*word)).take(frames * usize::from(channels)).collect();
            prop_assert_eq!(bits(&round_trip(channels, &samples).1), bits(&samples));
        }

        #[test]
        fn any_16_bit_sample_comes_back_and_is_sent_as_such(words in prop::collection::vec(any::<i16>(), 2..3_000)) {
            let samples: Vec<f32> = words[..words.len() / 2 * 2].iter().map(|word| f32::from(*word) / 32_768.0).collect();
            let (format, out) = round_trip(2, &samples);
            prop_assert!(format <= SampleFormat::Pcm16);
            prop_assert_eq!(bits(&out), bits(&samples));
        }

        #[test]
        fn any_24_bit_sample_comes_back_and_is_sent_as_such(words in prop::collection::vec(-8_388_608_i32..8_388_608, 2..3_000)) {
            let samples: Vec<f32> = words[..words.len() / 2 * 2].iter().map(|word| *word as f32 / 8_388_608.0).collect();
            let (format, out) = round_trip(2, &samples);
            prop_assert!(format <= SampleFormat::Pcm24);
            prop_assert_eq!(bits(&out), bits(&samples));
        }

        #[test]
        fn bytes_of_the_network_never_panic(body in prop::collection::vec(any::<u8>(), 0..1_200)) {
            if let Ok(fragment) = AudioFragment::read(&body) {
                let _ = fragment.decode(&mut Vec::new());
            }
        }
    }
}
