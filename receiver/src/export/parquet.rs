//! `parquet`: one index with a row per sequence, to choose among sequences with pandas, DuckDB or Polars
//! (spec/dataset-exports-tables.md).

mod moments;
mod table;

use std::fs::File;
use std::io;
use std::path::PathBuf;

use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::{ExportError, Format, Layout, Shard, ShardPlan, columns, write_error};
use crate::music::Note;
use crate::sequences::{About, Sequence, Split};
use moments::Moments;

/// Rows that become columns together.
const BATCH: usize = 64;

/// A row group ends after so many rows, or when its encoded columns reach so many bytes: that bounds the memory.
const ROW_GROUP_ROWS: usize = 1024;
const ROW_GROUP_BYTES: usize = 32 << 20;

/// The index.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parquet;

/// A row: what a sequence is, its notes, and its features in brief.
#[derive(Clone, Debug)]
pub struct Row {
    about: About,
    notes: Vec<Note>,
    /// Of each field that is [`moments::told`], in order; none in a sequence of MIDI alone.
    features: Vec<Option<Moments>>,
}

impl Format for Parquet {
    type Item = Row;
    type Shard = Index;

    const NAME: &'static str = "parquet";
    const LAYOUT: Layout = Layout::OneFile;
    const OPTIONAL_AUDIO: bool = false;

    fn file_name(&self, _split: Option<Split>, _number: usize, _count: usize) -> String {
        "index.parquet".to_owned()
    }

    fn encode(&self, sequence: &Sequence, plan: &ShardPlan) -> Result<Row, String> {
        let arrays = columns::arrays(sequence, plan);
        let features = arrays.iter().filter(|array| moments::told(&array.field)).map(Moments::of).collect();
        Ok(Row { about: sequence.about.clone(), notes: sequence.music.notes.clone(), features })
    }

    fn shard(&self, plan: &ShardPlan) -> Result<Index, ExportError> {
        Index::create(plan)
    }
}

/// An index that is being written.
pub struct Index {
    path: PathBuf,
    writer: ArrowWriter<File>,
    /// Rows that wait for their batch to fill.
    rows: Vec<Row>,
}

impl Index {
    fn create(plan: &ShardPlan) -> Result<Self, ExportError> {
        let path = plan.path.clone();
        let file = File::create(&path).map_err(write_error(&path))?;
        let settings = serde_json::to_string(&plan.settings)
            .map_err(|error| ExportError::Encode { path: path.clone(), why: error.to_string() })?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_created_by(concat!("send-learn ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(vec![KeyValue::new("send_learn.settings".to_owned(), settings)]))
            .build();
        let schema = table::batch(&[]).map_err(|error| parquet_error(&path)(error.into()))?.schema();
        let writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(parquet_error(&path))?;
        Ok(Self { path, writer, rows: Vec::with_capacity(BATCH) })
    }

    fn write_rows(&mut self) -> Result<(), ExportError> {
        let mut write = || self.writer.write(&table::batch(&self.rows)?);
        write().map_err(parquet_error(&self.path))?;
        self.rows.clear();
        Ok(())
    }
}

impl Shard for Index {
    type Item = Row;

    fn add(&mut self, row: Row) -> Result<(), ExportError> {
        self.rows.push(row);
        if self.rows.len() == BATCH { self.write_rows() } else { Ok(()) }
    }

    fn finish(mut self) -> Result<(), ExportError> {
        self.write_rows()?;
        let file = self.writer.into_inner().map_err(parquet_error(&self.path))?;
        file.sync_all().map_err(write_error(&self.path))
    }
}

/// Tells a full disk from what the library itself refuses.
fn parquet_error(path: &std::path::Path) -> impl Fn(ParquetError) -> ExportError + '_ {
    move |error| match error {
        ParquetError::External(source) => match source.downcast::<io::Error>() {
            Ok(source) => write_error(path)(*source),
            Err(source) => ExportError::Encode { path: path.to_owned(), why: source.to_string() },
        },
        error => ExportError::Encode { path: path.to_owned(), why: error.to_string() },
    }
}
