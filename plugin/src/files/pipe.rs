//! Sound from a pipe: WAV, or raw samples whose form is told. The same integers become the same floats as from a file.

use std::io::{self, Read};
use std::str::FromStr;

use send_learn_protocol::packet::hello::MAX_CHANNELS;

/// How a sample is written; all are little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// 8 bits without a sign, 128 in the middle.
    U8,
    /// 16 bits.
    S16,
    /// 24 bits in 3 bytes.
    S24,
    /// 32 bits, rounded to float32.
    S32,
    /// binary32.
    F32,
}

/// The form of a stream of samples, interleaved by frame. Written as `f32:48000:2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Of each sample.
    pub encoding: Encoding,
    /// Samples per second, above 0.
    pub rate: u32,
    /// 1 to 256.
    pub channels: u16,
}

/// Why what comes cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PipeError {
    /// It cannot be read.
    #[error("cannot read the pipe: {0}")]
    Io(#[from] io::Error),
    /// It is not WAV, or of a kind that is not understood.
    #[error(
        "what comes through the pipe is no WAV file that can be played ({0}). For raw samples say --raw f32:48000:2, or s16, s24, s32, u8"
    )]
    Format(String),
    /// A form cannot be read.
    #[error("\"{0}\" is no form of samples: write one like f32:48000:2 (encoding u8, s16, s24, s32 or f32; rate; channels)")]
    Form(String),
}

impl Encoding {
    fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::S16 => 2,
            Self::S24 => 3,
            Self::S32 | Self::F32 => 4,
        }
    }

    fn read(self, bytes: &[u8]) -> f32 {
        match (self, bytes) {
            (Self::U8, &[a]) => (f32::from(a) - 128.0) / 128.0,
            (Self::S16, &[a, b]) => f32::from(i16::from_le_bytes([a, b])) / 32_768.0,
            (Self::S24, &[a, b, c]) => (i32::from_le_bytes([0, a, b, c]) >> 8) as f32 / 8_388_608.0,
            (Self::S32, &[a, b, c, d]) => (f64::from(i32::from_le_bytes([a, b, c, d])) / 2_147_483_648.0) as f32,
            (Self::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            _ => 0.0,
        }
    }
}

impl FromStr for Form {
    type Err = PipeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || PipeError::Form(text.to_owned());
        let parts: Vec<&str> = text.split(':').collect();
        let [encoding, rate, channels] = parts[..] else { return Err(wrong()) };
        let encoding = match encoding {
            "u8" => Encoding::U8,
            "s16" => Encoding::S16,
            "s24" => Encoding::S24,
            "s32" => Encoding::S32,
            "f32" => Encoding::F32,
            _ => return Err(wrong()),
        };
        let (rate, channels) = (rate.parse().map_err(|_| wrong())?, channels.parse().map_err(|_| wrong())?);
        let form = Self { encoding, rate, channels };
        form.is_possible().then_some(form).ok_or_else(wrong)
    }
}

impl Form {
    fn is_possible(&self) -> bool {
        (1..=10_000_000).contains(&self.rate) && (1..=MAX_CHANNELS).contains(&self.channels)
    }

    fn frame(&self) -> usize {
        self.encoding.bytes() * usize::from(self.channels)
    }
}

/// A pipe that samples come through.
#[derive(Debug)]
pub struct Pipe<R> {
    source: R,
    form: Form,
    /// Bytes of sound that are still to come; `None` where only its end tells.
    left: Option<u64>,
    bytes: Vec<u8>,
}

impl<R: Read> Pipe<R> {
    /// Raw samples.
    pub fn raw(source: R, form: Form) -> Self {
        Self { source, form, left: None, bytes: Vec::new() }
    }

    /// A WAV file. Lengths of 0 and 2^32 - 1, as programs write that do not know it yet, mean: to the end.
    ///
    /// # Errors
    /// [`PipeError`] when it cannot be read or is not understood.
    pub fn wav(mut source: R) -> Result<Self, PipeError> {
        let wrong = |why: &str| PipeError::Format(why.to_owned());
        let head: [u8; 12] = take(&mut source)?;
        if &head[..4] != b"RIFF" || &head[8..] != b"WAVE" {
            return Err(wrong("it does not begin like one"));
        }
        let mut form = None;
        loop {
            let [a, b, c, d, size @ ..]: [u8; 8] = take(&mut source)?;
            let size = u32::from_le_bytes(size);
            match &[a, b, c, d] {
                b"fmt " if (16..=4_096).contains(&size) => {
                    let mut chunk = vec![0; size as usize + size as usize % 2];
                    source.read_exact(&mut chunk)?;
                    form = Some(format(&chunk).ok_or_else(|| wrong("its samples are of an unknown kind"))?);
                }
                b"fmt " => return Err(wrong("its format is damaged")),
                b"data" => {
                    let form = form.ok_or_else(|| wrong("its sound comes before its format"))?;
                    let left = (size != 0 && size != u32::MAX).then_some(u64::from(size));
                    return Ok(Self { source, form, left, bytes: Vec::new() });
                }
                _ => {
                    let skipped = u64::from(size) + u64::from(size % 2);
                    if io::copy(&mut source.by_ref().take(skipped), &mut io::sink())? < skipped {
                        return Err(wrong("it ends before its sound"));
                    }
                }
            }
        }
    }

    /// How the samples are written.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Waits for `frames` frames, or the end, and puts them into one vector per channel. Gives how many came; what is less than
    /// a frame at the end is left out.
    ///
    /// # Errors
    /// [`PipeError::Io`] when the pipe cannot be read.
    pub fn read(&mut self, frames: usize, planar: &mut Vec<Vec<f32>>) -> Result<usize, PipeError> {
        let (frame, encoding) = (self.form.frame(), self.form.encoding);
        let most = self.left.unwrap_or(u64::MAX).min((frames * frame) as u64);
        self.bytes.clear();
        let came = self.source.by_ref().take(most).read_to_end(&mut self.bytes)?;
        self.left = self.left.map(|left| left - came as u64);
        planar.resize_with(usize::from(self.form.channels), Vec::new);
        planar.iter_mut().for_each(Vec::clear);
        for frame in self.bytes.chunks_exact(frame) {
            for (channel, sample) in planar.iter_mut().zip(frame.chunks_exact(encoding.bytes())) {
                channel.push(encoding.read(sample));
            }
        }
        Ok(came / frame)
    }
}

fn take<const N: usize>(source: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    source.read_exact(&mut bytes).map(|()| bytes)
}

/// The form that a format chunk states (RIFF WAVE, `WAVEFORMATEX` and `WAVEFORMATEXTENSIBLE`).
fn format(chunk: &[u8]) -> Option<Form> {
    let word = |at: usize| Some(u16::from_le_bytes(chunk.get(at..at + 2)?.try_into().ok()?));
    let tag = match word(0)? {
        // An extensible format keeps its own tag at the begin of its identity.
        0xFFFE => word(24)?,
        tag => tag,
    };
    let encoding = match (tag, word(14)?) {
        (1, 8) => Encoding::U8,
        (1, 16) => Encoding::S16,
        (1, 24) => Encoding::S24,
        (1, 32) => Encoding::S32,
        (3, 32) => Encoding::F32,
        _ => return None,
    };
    let form = Form { encoding, rate: u32::from_le_bytes(chunk[4..8].try_into().ok()?), channels: word(2)? };
    form.is_possible().then_some(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(size: u32, sound: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WAVEJUNK\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0\x02\0".to_vec();
        bytes.extend(48_000_u32.to_le_bytes());
        bytes.extend(192_000_u32.to_le_bytes());
        bytes.extend([4, 0, 16, 0]);
        bytes.extend(b"data");
        bytes.extend(size.to_le_bytes());
        bytes.extend(sound);
        bytes
    }

    #[test]
    fn a_wav_of_unknown_length_is_read_to_its_end() {
        let sound: Vec<u8> = [1_i16, -2, 3, -32_768, 5].iter().flat_map(|sample| sample.to_le_bytes()).collect();
        for (size, frames) in [(u32::MAX, 2), (0, 2), (4, 1)] {
            let bytes = wav(size, &sound);
            let mut pipe = Pipe::wav(&bytes[..]).unwrap();
            assert_eq!(pipe.form(), "s16:48000:2".parse().unwrap());
            let mut planar = Vec::new();
            assert_eq!(pipe.read(100, &mut planar).unwrap(), frames);
            assert_eq!((planar[0][0], planar[1][0]), (1.0 / 32_768.0, -2.0 / 32_768.0));
            assert_eq!(pipe.read(100, &mut planar).unwrap(), 0);
        }
    }

    #[test]
    fn raw_samples_of_every_encoding_become_what_they_are_from_a_file() {
        for (form, bytes, value) in [
            ("u8:8000:1", &[192_u8][..], 0.5),
            ("s24:96000:1", &[0, 0, 0xC0], -0.5),
            ("s32:48000:1", &[0, 0, 0, 0x40], 0.5),
            ("f32:44100:1", &0.1_f32.to_le_bytes(), 0.1),
        ] {
            let mut planar = Vec::new();
            assert_eq!(Pipe::raw(bytes, form.parse().unwrap()).read(9, &mut planar).unwrap(), 1, "{form}");
            assert_eq!(planar[0][0], value, "{form}");
        }
    }

    #[test]
    fn what_is_no_sound_is_refused_with_a_way_out() {
        for bytes in [&b"OggS and so on, and on"[..], &wav(4, &[])[..20], b""] {
            assert!(Pipe::wav(bytes).is_err());
        }
        for text in ["f32", "f32:0:2", "f32:48000:0", "f64:48000:2", "s16:48000:2:1"] {
            let error = text.parse::<Form>().unwrap_err().to_string();
            assert!(error.contains("f32:48000:2"), "{error}");
        }
    }
}
