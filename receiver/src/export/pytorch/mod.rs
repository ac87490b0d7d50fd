//! `pytorch`: a file that `torch.load` opens as a list of dictionaries of tensors.
//!
//! Such a file is a zip archive without compression: one entry per tensor with its bytes, and `data.pkl`, a [`Pickle`] of
//! everything else that names them. Tensors are written as they come; the pickle, which grows by some kilobytes per sequence,
//! waits in memory for the end. The layout is that of `torch.save` (torch/serialization.py and caffe2/serialize in
//! PyTorch); `spec/dataset-exports-tensors.md` describes it.

mod output;
mod pickle;

use std::io::Write;
use std::path::PathBuf;

use serde_json::{Map, Value};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::columns::{Array, Field, Kind, arrays, metadata};
use super::{ExportError, Format, Layout, Shard, ShardPlan, write_error};
use crate::sequences::{Sequence, Split};
use output::Output;
use pickle::Pickle;

/// The folder within the archive. `torch.load` takes whatever name the first entry has.
const FOLDER: &str = "pytorch_dataset";

/// Where a tensor's bytes begin in the file is a multiple of this, as `torch.save` has it: mapped files are read in place.
const ALIGNMENT: u16 = 64;

/// The version of the archive's layout that torch 1.6 and later write.
const VERSION: &[u8] = b"3\n";

/// The format `pytorch`.
#[derive(Clone, Copy, Debug)]
pub struct Pytorch;

impl Format for Pytorch {
    type Item = Sample;
    type Shard = Archive;

    const NAME: &'static str = "pytorch";
    const LAYOUT: Layout = Layout::Together;
    /// Of each sequence some kilobytes wait in memory for the end of the file.
    const MOST_SEQUENCES: usize = 2_000;

    fn file_name(&self, _: Option<Split>, number: usize, count: usize) -> String {
        if count == 1 { format!("{FOLDER}.pt") } else { format!("{FOLDER}-{number:05}-of-{count:05}.pt") }
    }

    fn encode(&self, sequence: &Sequence, plan: &ShardPlan) -> Result<Sample, String> {
        let tensor = |array: Array<'_>| Tensor { bytes: array.data.bytes(), field: array.field, shape: array.shape };
        let tensors = arrays(sequence, plan).into_iter().map(tensor).collect();
        Ok(Sample { tensors, metadata: metadata(sequence, plan) })
    }

    fn shard(&self, plan: &ShardPlan) -> Result<Archive, ExportError> {
        let output = Output::create(&plan.path).map_err(write_error(&plan.path))?;
        Ok(Archive { path: plan.path.clone(), zip: ZipWriter::new(output), pickle: Pickle::list(), storages: 0 })
    }
}

/// A sequence as a sample of the dataset.
#[derive(Debug)]
pub struct Sample {
    tensors: Vec<Tensor>,
    metadata: Map<String, Value>,
}

#[derive(Debug)]
struct Tensor {
    field: Field,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// A file that is being written.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    zip: ZipWriter<Output>,
    pickle: Pickle,
    /// How many tensors' bytes are in the archive: the next one's key.
    storages: u64,
}

impl Shard for Archive {
    type Item = Sample;

    fn add(&mut self, sample: Sample) -> Result<(), ExportError> {
        self.pickle.begin_dictionary();
        for tensor in &sample.tensors {
            let key = self.storages.to_string();
            self.storages += 1;
            self.entry(&format!("data/{key}"), &tensor.bytes)?;
            self.pickle.key(tensor.field.name);
            self.pickle.tensor(tensor, &key);
        }
        self.pickle.key("metadata");
        self.pickle.dictionary(&sample.metadata);
        self.pickle.end_dictionary();
        self.pickle.append();
        Ok(())
    }

    fn finish(mut self) -> Result<(), ExportError> {
        let pickle = std::mem::take(&mut self.pickle).finish();
        self.entry("data.pkl", &pickle)?;
        self.entry("byteorder", b"little")?;
        self.entry("version", VERSION)?;
        let refused = |error: zip::result::ZipError| ExportError::Encode { path: self.path.clone(), why: error.to_string() };
        self.zip.finish().map_err(refused)?.flush().map_err(write_error(&self.path))
    }
}

impl Archive {
    fn entry(&mut self, name: &str, bytes: &[u8]) -> Result<(), ExportError> {
        // Sizes of 4 GiB need the longer form of the header.
        let is_large = u32::try_from(bytes.len()).is_err();
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .with_alignment(ALIGNMENT)
            .large_file(is_large);
        let refused = |error: zip::result::ZipError| ExportError::Encode { path: self.path.clone(), why: error.to_string() };
        self.zip.start_file(format!("{FOLDER}/{name}"), options).map_err(refused)?;
        self.zip.write_all(bytes).map_err(write_error(&self.path))
    }
}
