//! Which sequences stand in which file.

use super::run::Request;
use super::{Format, Layout};
use crate::sequences::{Planned, Split};

/// Bytes of a note, control or event in a file, about.
const MUSIC_BYTES: u64 = 64 * 1024;

/// A file to write.
#[derive(Debug)]
pub(super) struct Job<'a> {
    /// Its final name.
    pub(super) name: String,
    /// The split of all its sequences; none where splits stand together.
    pub(super) split: Option<Split>,
    /// Its sequences, in order.
    pub(super) sequences: Vec<&'a Planned>,
}

/// Divides all planned sequences as the format's layout says.
pub(super) fn divide<'a, F: Format>(format: &F, request: &'a Request<'_>) -> Vec<Job<'a>> {
    let all: Vec<&Planned> = request.plan.sequences.iter().collect();
    let of = |split: Split| -> Vec<&Planned> { all.iter().copied().filter(|planned| planned.split() == split).collect() };
    let room = ((request.file_limit / bytes(&all, request).max(1)).max(1) as usize).min(F::MOST_SEQUENCES);
    match F::LAYOUT {
        Layout::OneFile => vec![Job { name: format.file_name(None, 1, 1), split: None, sequences: all }],
        Layout::Together if all.len() <= room => vec![Job { name: format.file_name(None, 1, 1), split: None, sequences: all }],
        Layout::Together => {
            let chunks: Vec<(Split, Vec<&Planned>)> = Split::ALL
                .into_iter()
                .flat_map(|split| chunks(of(split), room).into_iter().map(move |chunk| (split, chunk)))
                .collect();
            let count = chunks.len();
            let job =
                |(index, (split, sequences))| Job { name: format.file_name(None, index + 1, count), split: Some(split), sequences };
            chunks.into_iter().enumerate().map(job).collect()
        }
        Layout::PerSplit | Layout::Folders => {
            let room = if F::LAYOUT == Layout::Folders { usize::MAX } else { room };
            let split = |split| {
                let chunks = chunks(of(split), room);
                let count = chunks.len();
                let job = move |(index, sequences)| Job {
                    name: format.file_name(Some(split), index + 1, count),
                    split: Some(split),
                    sequences,
                };
                chunks.into_iter().enumerate().map(job)
            };
            Split::ALL.into_iter().flat_map(split).collect()
        }
    }
}

fn chunks(sequences: Vec<&Planned>, room: usize) -> Vec<Vec<&Planned>> {
    sequences.chunks(room).map(<[_]>::to_vec).collect()
}

/// About the bytes of the largest sequence, uncompressed.
fn bytes(sequences: &[&Planned], request: &Request<'_>) -> u64 {
    let settings = request.settings;
    let values = (settings.n_mels + settings.mfcc_n + settings.chroma_n + 8) as u64;
    let of = |planned: &&Planned| {
        let (frames, channels) = planned.size(request.sources);
        let samples = if request.audio { frames * channels } else { 0 };
        4 * (samples + frames / settings.hop_length.max(1) as u64 * values) + MUSIC_BYTES
    };
    sequences.iter().map(of).max().unwrap_or(1)
}
