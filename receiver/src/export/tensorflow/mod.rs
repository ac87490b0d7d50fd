//! `tensorflow`: TFRecord files of `tf.train.Example`, and `features.json`, which says how to parse them.
//!
//! An array stands in an example as a flat list of its values under its name, and its shape under `NAME/shape`. The rest is
//! JSON under `metadata`. `spec/dataset-exports-tensors.md` has the few lines of Python that read it all.

mod example;
mod record;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use prost::Message;
use serde::Serialize;
use serde_json::Value;

use super::columns::{Array, Data, Field, arrays, fields, metadata};
use super::{ExportError, Format, Layout, Shard, ShardPlan, write_error};
use crate::sequences::{Sequence, Settings, Split};
use example::{Example, Feature};

/// The largest message that Protocol Buffers' readers take, in bytes.
const LARGEST_MESSAGE: usize = i32::MAX as usize;

/// The format `tensorflow`.
#[derive(Clone, Copy, Debug)]
pub struct Tensorflow;

impl Format for Tensorflow {
    /// An encoded example.
    type Item = Vec<u8>;
    type Shard = Records;

    const NAME: &'static str = "tensorflow";
    const LAYOUT: Layout = Layout::PerSplit;

    fn file_name(&self, split: Option<Split>, number: usize, count: usize) -> String {
        let split = split.map_or("all", Split::name);
        format!("{split}-{number:05}-of-{count:05}.tfrecord")
    }

    fn encode(&self, sequence: &Sequence, plan: &ShardPlan) -> Result<Vec<u8>, String> {
        let mut example = Example::default();
        for Array { field, shape, data } in arrays(sequence, plan) {
            let shape = shape.into_iter().map(|size| size as i64).collect();
            let values = match data {
                Data::Float32(values) => Feature::floats(values.into_owned()),
                Data::Int64(values) => Feature::integers(values),
                // TensorFlow knows no list of small integers; those below 128 take one byte here too.
                Data::Uint8(values) => Feature::integers(values.into_iter().map(i64::from).collect()),
            };
            example.insert(field.name.to_owned(), values);
            example.insert(format!("{}/shape", field.name), Feature::integers(shape));
        }
        let metadata = Value::Object(metadata(sequence, plan)).to_string();
        example.insert("metadata".to_owned(), Feature::bytes(metadata.into_bytes()));
        let bytes = example.encode_to_vec();
        if bytes.len() > LARGEST_MESSAGE {
            return Err(format!("{} bytes are more than an example holds (2 GiB): shorten sequence_length", bytes.len()));
        }
        Ok(bytes)
    }

    fn shard(&self, plan: &ShardPlan) -> Result<Records, ExportError> {
        let file = File::create(&plan.path).map_err(write_error(&plan.path))?;
        Ok(Records { path: plan.path.clone(), file: BufWriter::new(file) })
    }

    fn companions(&self, settings: &Settings, audio: bool) -> Vec<(String, Vec<u8>)> {
        let arrays = fields(audio).map(|field| Parse { shape: shape(&field, settings), field }).collect();
        let features = Features { message: "tf.train.Example", metadata: "JSON in one bytes value", arrays };
        // Strings and numbers only: this does not fail.
        let text = serde_json::to_vec_pretty(&features).unwrap_or_default();
        vec![("features.json".to_owned(), text)]
    }
}

/// A file that is being written.
#[derive(Debug)]
pub struct Records {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Shard for Records {
    type Item = Vec<u8>;

    fn add(&mut self, example: Vec<u8>) -> Result<(), ExportError> {
        record::write(&mut self.file, &example).map_err(write_error(&self.path))
    }

    fn finish(mut self) -> Result<(), ExportError> {
        self.file.flush().map_err(write_error(&self.path))
    }
}

/// What `features.json` says.
#[derive(Serialize)]
struct Features {
    message: &'static str,
    metadata: &'static str,
    arrays: Vec<Parse>,
}

/// How to parse an array.
#[derive(Serialize)]
struct Parse {
    #[serde(flatten)]
    field: Field,
    /// What is known of its shape before it is read; none where it differs from sequence to sequence.
    shape: Vec<Option<usize>>,
}

fn shape(field: &Field, settings: &Settings) -> Vec<Option<usize>> {
    let length = |axis: &&str| match *axis {
        "column" => Some(field.columns.len()),
        "mfcc" => Some(settings.mfcc_n),
        "chroma" => Some(settings.chroma_n),
        "mel" => Some(settings.n_mels),
        _ => None,
    };
    field.axes.iter().map(length).collect()
}
