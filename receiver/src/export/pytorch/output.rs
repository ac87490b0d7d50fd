//! Where an archive is written to.

use std::fs::File;
use std::io::{BufWriter, Result, Seek, SeekFrom, Write};
use std::path::Path;

/// A file, until it refuses; what comes after that goes nowhere. A `ZipWriter` completes its archive when it is dropped, and would say on
/// the terminal that it cannot.
#[derive(Debug)]
pub(super) struct Output {
    file: Option<BufWriter<File>>,
    position: u64,
}

impl Output {
    pub(super) fn create(path: &Path) -> Result<Self> {
        Ok(Self { file: Some(BufWriter::new(File::create(path)?)), position: 0 })
    }

    /// Does something with the file, and gives it up if it refuses.
    fn with<T>(&mut self, without: T, act: impl FnOnce(&mut BufWriter<File>) -> Result<T>) -> Result<T> {
        let result = self.file.as_mut().map_or(Ok(without), act);
        if result.is_err() {
            self.file = None;
        }
        result
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let written = self.with(bytes.len(), |file| file.write(bytes))?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> Result<()> {
        self.with((), BufWriter::flush)
    }
}

impl Seek for Output {
    fn seek(&mut self, place: SeekFrom) -> Result<u64> {
        let without = match place {
            SeekFrom::Start(position) => position,
            SeekFrom::Current(by) | SeekFrom::End(by) => self.position.saturating_add_signed(by),
        };
        self.position = self.with(without, |file| file.seek(place))?;
        Ok(self.position)
    }
}
