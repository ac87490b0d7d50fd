//! Rows of a table, one after another: memory stays the same however long the recording is.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use hdf5::Dataset;

use super::StoreError;
use super::layout::Row;

/// Rows read at once.
const READ: usize = 4_096;

/// The rows of a table, from the first on.
#[derive(Debug)]
pub struct Rows<R> {
    path: PathBuf,
    dataset: Dataset,
    /// Rows that were read from the file.
    read: usize,
    rows: usize,
    waiting: VecDeque<R>,
}

impl<R: Row> Rows<R> {
    pub(super) fn new(path: &Path, dataset: Dataset) -> Self {
        Self { path: path.to_owned(), rows: dataset.size(), dataset, read: 0, waiting: VecDeque::new() }
    }

    /// The next row, which stays.
    ///
    /// # Errors
    /// [`StoreError::Hdf5`] when the table is damaged.
    pub fn peek(&mut self) -> Result<Option<&R>, StoreError> {
        if self.waiting.is_empty() && self.read < self.rows {
            let end = self.rows.min(self.read + READ);
            let rows = self.dataset.read_slice_1d::<R, _>(self.read..end);
            let rows = rows.map_err(|source| StoreError::Hdf5 { path: self.path.clone(), source })?;
            self.read = end;
            self.waiting.extend(rows);
        }
        Ok(self.waiting.front())
    }

    /// Takes the next row for which `wanted` holds; `None` when the next is another, or there is none.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    pub fn next_if(&mut self, wanted: impl FnOnce(&R) -> bool) -> Result<Option<R>, StoreError> {
        Ok(if self.peek()?.is_some_and(wanted) { self.waiting.pop_front() } else { None })
    }

    /// Takes some rows, in order; none at the end of the table.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    pub fn take_some(&mut self) -> Result<Vec<R>, StoreError> {
        self.peek()?;
        Ok(self.waiting.drain(..).collect())
    }

    /// Takes all rows, in order, until one is at `position` or after it.
    ///
    /// # Errors
    /// As [`peek`](Self::peek).
    pub fn take_before(&mut self, position: u64) -> Result<Vec<R>, StoreError> {
        let mut taken = Vec::new();
        while let Some(row) = self.next_if(|row| row.sample().is_none_or(|sample| sample < position))? {
            taken.push(row);
        }
        Ok(taken)
    }
}
