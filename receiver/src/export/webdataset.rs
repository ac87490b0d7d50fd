//! `webdataset`: tar files that the Python library of that name reads in a stream (spec/dataset-exports-tables.md).

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::{ExportError, Format, Layout, Shard, ShardPlan, columns, npy, write_error};
use crate::sequences::{Sequence, Split};

/// Tar files, numbered for each split.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebDataset;

/// The files of one sequence, in the order in which they stand in the tar file.
#[derive(Clone, Debug)]
pub struct Sample {
    members: Vec<Member>,
}

#[derive(Clone, Debug)]
struct Member {
    name: String,
    bytes: Vec<u8>,
}

impl Format for WebDataset {
    type Item = Sample;
    type Shard = Tar;

    const NAME: &'static str = "webdataset";
    const LAYOUT: Layout = Layout::PerSplit;

    /// `train-000000.tar`: numbers are from 0, so that `train-{000000..000041}.tar` names all of them.
    fn file_name(&self, split: Option<Split>, number: usize, _count: usize) -> String {
        format!("{}-{:06}.tar", split.map_or("all", Split::name), number - 1)
    }

    fn encode(&self, sequence: &Sequence, plan: &ShardPlan) -> Result<Sample, String> {
        let id = &sequence.about.id;
        let metadata = serde_json::to_vec(&columns::metadata(sequence, plan)).map_err(|error| error.to_string())?;
        let mut members = vec![Member { name: format!("{id}.json"), bytes: metadata }];
        members.extend(columns::arrays(sequence, plan).into_iter().map(|array| {
            let bytes = npy::encode(array.field.kind, &array.shape, &array.data.bytes());
            Member { name: format!("{id}.{}.npy", array.field.name), bytes }
        }));
        Ok(Sample { members })
    }

    fn shard(&self, plan: &ShardPlan) -> Result<Tar, ExportError> {
        let path = plan.path.clone();
        let file = File::create(&path).map_err(write_error(&path))?;
        Ok(Tar { path, tar: tar::Builder::new(BufWriter::new(file)) })
    }
}

/// A tar file that is being written.
pub struct Tar {
    path: PathBuf,
    tar: tar::Builder<BufWriter<File>>,
}

impl Shard for Tar {
    type Item = Sample;

    fn add(&mut self, sample: Sample) -> Result<(), ExportError> {
        let mut members = sample.members.iter();
        members.try_for_each(|member| append(&mut self.tar, member)).map_err(write_error(&self.path))
    }

    fn finish(self) -> Result<(), ExportError> {
        let close = || {
            let file = self.tar.into_inner()?.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.sync_all()
        };
        close().map_err(write_error(&self.path))
    }
}

/// Appends a file whose header depends on its name and size alone: the same sequences make the same tar file.
fn append(tar: &mut tar::Builder<impl Write>, member: &Member) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(member.bytes.len() as u64);
    tar.append_data(&mut header, &member.name, member.bytes.as_slice())
}
