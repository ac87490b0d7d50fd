//! `safetensors`: tensors named `ID/ARRAY`, and of every sequence its metadata as JSON under its id.
//!
//! The format begins with a header that names all tensors, so their bytes wait in temporary files without a name, one for
//! each type, until the last sequence has come: the header holds what memory must hold, some kilobytes per sequence. Types
//! stand in falling order of their size, so that every tensor is aligned to it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::Value;

use super::columns::{Kind, arrays, metadata};
use super::{ExportError, Format, Layout, Shard, ShardPlan, write_error};
use crate::sequences::{Sequence, Split};

/// The largest header that readers of the format take, in bytes.
const LARGEST_HEADER: usize = 100_000_000;

/// The tensors begin at a multiple of this.
const ALIGNMENT: usize = 8;

/// The format `safetensors`.
#[derive(Clone, Copy, Debug)]
pub struct Safetensors;

impl Format for Safetensors {
    type Item = Tensors;
    type Shard = Spool;

    const NAME: &'static str = "safetensors";
    const LAYOUT: Layout = Layout::PerSplit;
    /// Their part of the header, about 30 kB each, waits in memory.
    const MOST_SEQUENCES: usize = 1_000;

    fn file_name(&self, split: Option<Split>, number: usize, count: usize) -> String {
        let split = split.map_or("all", Split::name);
        format!("{split}-{number:05}-of-{count:05}.safetensors")
    }

    fn encode(&self, sequence: &Sequence, plan: &ShardPlan) -> Result<Tensors, String> {
        let id = &sequence.about.id;
        let tensors = arrays(sequence, plan)
            .into_iter()
            .map(|array| Tensor {
                name: format!("{id}/{}", array.field.name),
                kind: array.field.kind,
                bytes: array.data.bytes(),
                shape: array.shape,
            })
            .collect();
        Ok(Tensors { id: id.clone(), tensors, metadata: Value::Object(metadata(sequence, plan)).to_string() })
    }

    fn shard(&self, plan: &ShardPlan) -> Result<Spool, ExportError> {
        let begin = || {
            let parts = [Part::new(Dtype::I64, &plan.path)?, Part::new(Dtype::F32, &plan.path)?, Part::new(Dtype::U8, &plan.path)?];
            Ok(Spool { path: plan.path.clone(), parts, metadata: HashMap::new() })
        };
        begin().map_err(write_error(&plan.path))
    }
}

/// A sequence's tensors.
#[derive(Debug)]
pub struct Tensors {
    id: String,
    tensors: Vec<Tensor>,
    /// JSON.
    metadata: String,
}

#[derive(Debug)]
struct Tensor {
    name: String,
    kind: Kind,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// A file that is being written.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    /// In the order in which they will stand in the file.
    parts: [Part; 3],
    metadata: HashMap<String, String>,
}

/// All tensors of one type.
#[derive(Debug)]
struct Part {
    dtype: Dtype,
    file: BufWriter<File>,
    length: usize,
    /// With offsets from the part's begin.
    tensors: Vec<(String, TensorInfo)>,
}

impl Shard for Spool {
    type Item = Tensors;

    fn add(&mut self, sequence: Tensors) -> Result<(), ExportError> {
        for tensor in sequence.tensors {
            let part = match tensor.kind {
                Kind::Int64 => &mut self.parts[0],
                Kind::Float32 => &mut self.parts[1],
                Kind::Uint8 => &mut self.parts[2],
            };
            part.add(tensor).map_err(write_error(&self.path))?;
        }
        self.metadata.insert(sequence.id, sequence.metadata);
        Ok(())
    }

    fn finish(mut self) -> Result<(), ExportError> {
        let refused = |why: String| ExportError::Encode { path: self.path.clone(), why };
        let metadata = std::mem::take(&mut self.metadata);
        let header = header(metadata, &mut self.parts).map_err(refused)?;
        write(&self.path, &header, self.parts).map_err(write_error(&self.path))
    }
}

impl Part {
    fn new(dtype: Dtype, beside: &Path) -> io::Result<Self> {
        let folder = beside.parent().unwrap_or(Path::new("."));
        Ok(Self { dtype, file: BufWriter::new(tempfile::tempfile_in(folder)?), length: 0, tensors: Vec::new() })
    }

    fn add(&mut self, tensor: Tensor) -> io::Result<()> {
        self.file.write_all(&tensor.bytes)?;
        let end = self.length + tensor.bytes.len();
        let info = TensorInfo { dtype: self.dtype, shape: tensor.shape, data_offsets: (self.length, end) };
        self.tensors.push((tensor.name, info));
        self.length = end;
        Ok(())
    }
}

/// The header: JSON, padded with spaces.
fn header(metadata: HashMap<String, String>, parts: &mut [Part]) -> Result<Vec<u8>, String> {
    let (mut tensors, mut begin) = (Vec::new(), 0);
    for part in parts {
        let moved = part.tensors.drain(..).map(|(name, mut info)| {
            info.data_offsets = (info.data_offsets.0 + begin, info.data_offsets.1 + begin);
            (name, info)
        });
        tensors.extend(moved);
        begin += part.length;
    }
    let header = Metadata::new(Some(metadata), tensors).map_err(|error| error.to_string())?;
    // By way of a value, whose keys are sorted: the same sequences give the same bytes.
    let header = serde_json::to_value(&header).map_err(|error| error.to_string())?;
    let mut header = serde_json::to_vec(&header).map_err(|error| error.to_string())?;
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
    if header.len() > LARGEST_HEADER {
        return Err(format!("a header of {} bytes is more than readers take ({LARGEST_HEADER}): make smaller files", header.len()));
    }
    Ok(header)
}

fn write(path: &Path, header: &[u8], parts: [Part; 3]) -> io::Result<()> {
    let mut out = File::create(path)?;
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header)?;
    for part in parts {
        let mut file = part.file.into_inner()?;
        file.seek(SeekFrom::Start(0))?;
        io::copy(&mut file, &mut out)?;
    }
    Ok(())
}
