//! Datasets that grow, and attributes.

use hdf5::types::VarLenUnicode;
use hdf5::{Dataset, Group, H5Type, Location};
use ndarray::{ArrayView1, ArrayView2};

/// Chunks have at most so many bytes: a reader's cache of 1 MiB (HDF5's default) holds two of them.
const CHUNK_BYTES: usize = 512 << 10;

/// Chunks have at most so many rows: two of them hold 30 s of features at 48 kHz, wherever these begin.
const CHUNK_ROWS: usize = 4096;

/// The zlib level: higher ones cost much time and gain little.
const DEFLATE_LEVEL: u8 = 1;

/// A dataset that grows along its first axis.
#[derive(Debug)]
pub(super) struct Column {
    dataset: Dataset,
    rows: usize,
    /// Values per row, where a row is not a value itself.
    width: Option<usize>,
}

impl Column {
    /// An empty dataset, of two dimensions where it has a `width`.
    pub(super) fn create<T: H5Type>(place: &Group, name: &str, width: Option<usize>, about: &str) -> hdf5::Result<Self> {
        let values = width.unwrap_or(1);
        let chunk = (CHUNK_BYTES / (size_of::<T>() * values)).clamp(1, CHUNK_ROWS);
        let builder = place.new_dataset_builder().shuffle().deflate(DEFLATE_LEVEL).empty::<T>().packed(true);
        let dataset = match width {
            None => builder.chunk(chunk).shape(0..).create(name),
            Some(width) => builder.chunk((chunk, width)).shape((0.., width)).create(name),
        }?;
        write_text(&dataset, "about", about)?;
        Ok(Self { dataset, rows: 0, width })
    }

    pub(super) fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows as u64
    }

    /// Adds whole rows.
    pub(super) fn append<T: H5Type>(&mut self, values: &[T]) -> hdf5::Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        let end = self.rows + values.len() / self.width.unwrap_or(1);
        let rows = self.rows..end;
        match self.width {
            None => {
                self.dataset.resize(end)?;
                self.dataset.write_slice(ArrayView1::from(values), rows)?;
            }
            Some(width) => {
                let values = ArrayView2::from_shape((rows.len(), width), values).map_err(|error| error.to_string())?;
                self.dataset.resize((end, width))?;
                self.dataset.write_slice(values, (rows, ..))?;
            }
        }
        self.rows = end;
        Ok(())
    }
}

/// Writes a new attribute.
pub(super) fn write_number<T: H5Type>(place: &Location, name: &str, value: &T) -> hdf5::Result<()> {
    place.new_attr::<T>().create(name)?.write_scalar(value)
}

/// Writes a new attribute.
pub(super) fn write_text(place: &Location, name: &str, value: &str) -> hdf5::Result<()> {
    write_number(place, name, &text(value))
}

/// Writes a new attribute that is a list.
pub(super) fn write_texts(place: &Location, name: &str, values: &[&str]) -> hdf5::Result<()> {
    let values: Vec<VarLenUnicode> = values.iter().map(|value| text(value)).collect();
    place.new_attr::<VarLenUnicode>().shape(values.len()).create(name)?.write(&values)
}

/// HDF5's strings end at a NUL.
pub(super) fn text(text: &str) -> VarLenUnicode {
    text.split('\0').next().unwrap_or_default().parse().unwrap_or_default()
}
