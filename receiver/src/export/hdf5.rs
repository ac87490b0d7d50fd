//! `hdf5`: one file that says itself what it holds, read row by row (spec/dataset-exports-tables.md).

mod column;
mod index;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hdf5::types::VarLenUnicode;
use hdf5::{File, Group};

use self::column::{Column, text, write_number, write_text, write_texts};
use self::index::IndexRow;
use super::columns::{self, Array, Data};
use super::{ExportError, Format, Layout, Shard, ShardPlan, write_error};
use crate::sequences::{Sequence, Split};

/// Root attribute `format`.
const FORMAT: &str = "send-learn-dataset";

/// Root attribute `schema_version`: raised when a reader of older files would misread newer ones.
const SCHEMA_VERSION: u32 = 1;

const ABOUT: &str = "Sequences of music with their features. Row i of /index, of /metadata and of every table in /rows is sequence \
    i. Where /rows/NAME[i] is [first, end], rows first to end - 1 of /NAME belong to it.";

/// One file, whatever its size.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hdf5;

/// A sequence as rows.
#[derive(Debug)]
pub struct Rows {
    index: IndexRow,
    metadata: String,
    arrays: Vec<Array<'static>>,
}

impl Format for Hdf5 {
    type Item = Rows;
    type Shard = Dataset;

    const NAME: &'static str = "hdf5";
    const LAYOUT: Layout = Layout::OneFile;

    fn file_name(&self, _split: Option<Split>, _number: usize, _count: usize) -> String {
        "dataset.h5".to_owned()
    }

    fn encode(&self, sequence: &Sequence, plan: &ShardPlan) -> Result<Rows, String> {
        let metadata = serde_json::to_string(&columns::metadata(sequence, plan)).map_err(|error| error.to_string())?;
        let arrays = columns::arrays(sequence, plan).into_iter().map(owned).collect();
        Ok(Rows { index: IndexRow::new(&sequence.about), metadata, arrays })
    }

    fn shard(&self, plan: &ShardPlan) -> Result<Dataset, ExportError> {
        Dataset::create(plan).map_err(hdf5_error(&plan.path))
    }
}

/// The array with values of its own.
fn owned(array: Array<'_>) -> Array<'static> {
    let data = match array.data {
        Data::Float32(values) => Data::Float32(values.into_owned().into()),
        Data::Int64(values) => Data::Int64(values),
        Data::Uint8(values) => Data::Uint8(values),
    };
    Array { field: array.field, shape: array.shape, data }
}

/// A file that is being written. HDF5 compresses one chunk after another, so that its memory does not grow.
#[derive(Debug)]
pub struct Dataset {
    path: PathBuf,
    file: File,
    rows: Group,
    index: Column,
    metadata: Column,
    /// Of every array; none before the first sequence, which tells their widths.
    tables: Vec<Table>,
}

impl Dataset {
    fn create(plan: &ShardPlan) -> hdf5::Result<Self> {
        let file = File::with_options().with_fapl(|access| access.libver_earliest()).create(&plan.path)?;
        write_text(&file, "format", FORMAT)?;
        write_number(&file, "schema_version", &SCHEMA_VERSION)?;
        write_text(&file, "writer_version", env!("CARGO_PKG_VERSION"))?;
        write_text(&file, "about", ABOUT)?;
        let settings = serde_json::to_string(&plan.settings).map_err(|error| hdf5::Error::from(error.to_string()))?;
        write_text(&file, "settings", &settings)?;
        let index = Column::create::<IndexRow>(&file, "index", None, index::ABOUT)?;
        let metadata =
            Column::create::<VarLenUnicode>(&file, "metadata", None, "All that is known about each sequence: a JSON object.")?;
        let rows = file.create_group("rows")?;
        write_text(&rows, "about", "For each sequence, its first row in the table of the same name, and the row after its last.")?;
        Ok(Self { path: plan.path.clone(), file, rows, index, metadata, tables: Vec::new() })
    }

    fn append(&mut self, sequence: &Rows) -> hdf5::Result<()> {
        if self.tables.is_empty() {
            let create = |array| Table::create(&self.file, &self.rows, array);
            self.tables = sequence.arrays.iter().map(create).collect::<hdf5::Result<_>>()?;
        }
        self.tables.iter_mut().zip(&sequence.arrays).try_for_each(|(table, array)| table.append(&array.data))?;
        self.metadata.append(&[text(&sequence.metadata)])?;
        self.index.append(&[sequence.index])
    }
}

impl Shard for Dataset {
    type Item = Rows;

    fn add(&mut self, sequence: Rows) -> Result<(), ExportError> {
        self.append(&sequence).map_err(hdf5_error(&self.path))
    }

    fn finish(self) -> Result<(), ExportError> {
        // All is written here, where errors are seen, and not when the last handle is dropped.
        self.file.flush().map_err(hdf5_error(&self.path))?;
        let path = self.path.clone();
        drop(self);
        fs::File::open(&path).and_then(|file| file.sync_all()).map_err(write_error(&path))
    }
}

/// An array of all sequences, one after another along its first axis, and which rows are whose.
#[derive(Debug)]
struct Table {
    values: Column,
    ranges: Column,
}

impl Table {
    fn create(file: &File, rows: &Group, array: &Array<'_>) -> hdf5::Result<Self> {
        let field = &array.field;
        // The number of channels differs from sequence to sequence: their samples stand one channel after another.
        let (width, about) = match field.axes {
            ["channel", ..] => (None, format!("{} All of a channel, then the next: reshape(channels, frames).", field.about)),
            _ => (array.shape.get(1).copied(), field.about.to_owned()),
        };
        let values = match &array.data {
            Data::Float32(_) => Column::create::<f32>(file, field.name, width, &about),
            Data::Int64(_) => Column::create::<i64>(file, field.name, width, &about),
            Data::Uint8(_) => Column::create::<u8>(file, field.name, width, &about),
        }?;
        write_texts(values.dataset(), "axes", field.axes)?;
        if !field.columns.is_empty() {
            write_texts(values.dataset(), "columns", field.columns)?;
        }
        let ranges = Column::create::<u64>(rows, field.name, Some(2), &format!("Rows of /{}: first, end.", field.name))?;
        Ok(Self { values, ranges })
    }

    fn append(&mut self, data: &Data<'_>) -> hdf5::Result<()> {
        let first = self.values.rows();
        match data {
            Data::Float32(values) => self.values.append(values),
            Data::Int64(values) => self.values.append(values),
            Data::Uint8(values) => self.values.append(values),
        }?;
        self.ranges.append(&[first, self.values.rows()])
    }
}

/// What the operating system said stands as a number in HDF5's long message.
fn hdf5_error(path: &Path) -> impl Fn(hdf5::Error) -> ExportError + '_ {
    move |error| {
        let why = error.to_string();
        let number = why.split("errno = ").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok());
        match number {
            Some(number) => write_error(path)(io::Error::from_raw_os_error(number)),
            None => ExportError::Encode { path: path.to_owned(), why },
        }
    }
}
