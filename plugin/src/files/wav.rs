//! WAV files as blocks of float32.
//!
//! Integers of 8, 16 and 24 bits become exact multiples of 2^-7, 2^-15 and 2^-23. Integers of 32 bits have more digits than
//! a float32 holds: they are rounded to the nearest one, and [`Wav::is_rounded`] says so.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavReader, WavSpec};
use send_learn_protocol::packet::hello::MAX_CHANNELS;

/// Why a WAV file cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WavError {
    /// The file cannot be opened or read.
    #[error("cannot read {path}: {reason}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: io::Error,
    },
    /// It is no WAV file, or a damaged one.
    #[error("{path} is not a WAV file that can be read: {reason}")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file is shorter than its header says.
    #[error("{path} is cut off: {present} of {stated} bytes of sound are there. Nothing was sent; copy the file again")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes of samples in the file.
        present: u64,
        /// Bytes of samples that the header states.
        stated: u64,
    },
}

/// An open WAV file.
pub struct Wav {
    path: PathBuf,
    reader: WavReader<BufReader<File>>,
    spec: WavSpec,
    frames: u64,
}

impl Wav {
    /// Opens `path` and checks that all of its samples are there.
    ///
    /// # Errors
    /// [`WavError`] says what is wrong with the file.
    pub fn open(path: &Path) -> Result<Self, WavError> {
        let io = |reason| WavError::Io { path: path.to_owned(), reason };
        let format = |reason: String| WavError::Format { path: path.to_owned(), reason };
        let mut file = BufReader::new(File::open(path).map_err(io)?);
        let data = find_data(&mut file).map_err(io)?;
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        if let Some(data) = data.filter(|data| data.present < data.stated) {
            return Err(WavError::Truncated { path: path.to_owned(), present: data.present, stated: data.stated });
        }
        let reader = WavReader::new(file).map_err(|error| match error {
            hound::Error::FormatError(what) if what.starts_with("bits per sample is not 32") => {
                format("floats of other than 32 bits are not supported; save it as 32-bit float or as integers".to_owned())
            }
            error => format(error.to_string()),
        })?;
        let spec = reader.spec();
        let known = match spec.sample_format {
            SampleFormat::Float => spec.bits_per_sample == 32,
            SampleFormat::Int => matches!(spec.bits_per_sample, 8 | 16 | 24 | 32),
        };
        if !known || spec.channels == 0 || spec.channels > MAX_CHANNELS || spec.sample_rate == 0 {
            return Err(format(format!(
                "{} channels of {}-bit {:?} at {} Hz are not supported",
                spec.channels, spec.bits_per_sample, spec.sample_format, spec.sample_rate
            )));
        }
        let frames = u64::from(reader.duration());
        Ok(Self { path: path.to_owned(), reader, spec, frames })
    }

    /// Samples per second.
    pub fn sample_rate(&self) -> u32 {
        self.spec.sample_rate
    }

    /// Channels.
    pub fn channels(&self) -> u16 {
        self.spec.channels
    }

    /// Length in frames.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Whether samples lose digits when they become float32.
    pub fn is_rounded(&self) -> bool {
        self.spec.sample_format == SampleFormat::Int && self.spec.bits_per_sample == 32
    }

    /// Reads the next `frames` frames, or what is left, into one vector per channel.
    ///
    /// # Errors
    /// [`WavError::Format`] when the file changed or is damaged.
    pub fn read(&mut self, frames: usize, planar: &mut Vec<Vec<f32>>) -> Result<(), WavError> {
        let channels = usize::from(self.spec.channels);
        planar.resize_with(channels, Vec::new);
        planar.iter_mut().for_each(Vec::clear);
        let count = frames * channels;
        let read = match self.spec.sample_format {
            SampleFormat::Float => deal(self.reader.samples::<f32>().take(count), planar, |sample| sample),
            SampleFormat::Int => {
                let scale = 1.0 / (1_u64 << (self.spec.bits_per_sample - 1)) as f64;
                deal(self.reader.samples::<i32>().take(count), planar, |sample| (f64::from(sample) * scale) as f32)
            }
        };
        read.map_err(|error| WavError::Format { path: self.path.clone(), reason: error.to_string() })
    }
}

fn deal<S>(
    samples: impl Iterator<Item = hound::Result<S>>,
    planar: &mut [Vec<f32>],
    convert: impl Fn(S) -> f32,
) -> hound::Result<()> {
    let channels = planar.len();
    for (index, sample) in samples.enumerate() {
        planar[index % channels].push(convert(sample?));
    }
    Ok(())
}

/// The samples' chunk: how long it should be and how long it is.
struct DataChunk {
    stated: u64,
    present: u64,
}

/// Walks the RIFF chunks up to the samples. `None` when this is no RIFF file; what is wrong then, the reader will say.
fn find_data(file: &mut BufReader<File>) -> io::Result<Option<DataChunk>> {
    let len = file.get_ref().metadata()?.len();
    let mut at = 12;
    while at + 8 <= len {
        file.seek(SeekFrom::Start(at))?;
        let mut head = [0; 8];
        file.read_exact(&mut head)?;
        let [a, b, c, d, size @ ..] = head;
        let size = u64::from(u32::from_le_bytes(size));
        if &[a, b, c, d] == b"data" {
            return Ok(Some(DataChunk { stated: size, present: len - at - 8 }));
        }
        at += 8 + size + size % 2;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, spec: WavSpec, samples: &[i32]) {
        let mut writer = hound::WavWriter::create(path, spec).unwrap();
        samples.iter().for_each(|sample| writer.write_sample(*sample).unwrap());
        writer.finalize().unwrap();
    }

    fn spec(bits: u16) -> WavSpec {
        WavSpec { channels: 2, sample_rate: 48_000, bits_per_sample: bits, sample_format: SampleFormat::Int }
    }

    #[test]
    fn integers_become_exact_fractions() {
        let folder = tempfile::tempdir().unwrap();
        for (bits, scale) in [(8_u16, 128.0_f32), (16, 32_768.0), (24, 8_388_608.0)] {
            let path = folder.path().join(format!("{bits}.wav"));
            let top = (1 << (bits - 1)) - 1;
            let samples = [0, 1, -1, top, -top - 1, 77];
            write(&path, spec(bits), &samples);
            let mut wav = Wav::open(&path).unwrap();
            let mut planar = Vec::new();
            wav.read(3, &mut planar).unwrap();
            let expected: Vec<f32> = samples.iter().map(|sample| *sample as f32 / scale).collect();
            assert_eq!(planar, [[expected[0], expected[2], expected[4]], [expected[1], expected[3], expected[5]]]);
            assert_eq!((wav.frames(), wav.is_rounded()), (3, false));
        }
    }

    #[test]
    fn a_file_that_is_cut_off_says_how_much_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut.wav");
        write(&path, spec(16), &[5; 2_000]);
        let len = std::fs::metadata(&path).unwrap().len();
        File::options().write(true).open(&path).unwrap().set_len(len - 2_001).unwrap();
        let Err(WavError::Truncated { present, stated, .. }) = Wav::open(&path) else { panic!("must be refused") };
        assert_eq!((present, stated), (1_999, 4_000));
    }

    #[test]
    fn what_is_no_wav_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("noise.wav");
        for bytes in [&b""[..], b"RIFF", b"this is not a WAV file, but it is long enough to look like one"] {
            std::fs::write(&path, bytes).unwrap();
            assert!(matches!(Wav::open(&path), Err(WavError::Format { .. })));
        }
        assert!(matches!(Wav::open(&folder.path().join("missing.wav")), Err(WavError::Io { .. })));
    }
}
