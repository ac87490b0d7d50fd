//! The spectrum of the last two minutes of a stream, so that time can be stopped and turned back while the music goes on.

use std::collections::VecDeque;

use crate::spectrum::{BANDS, Row};

/// How far back one can look, in seconds.
pub const SECONDS: f64 = 120.0;

/// The newest rows of a stream, each level in 8 bits: as many steps as the colour map has. Two minutes take 2.2 MB.
#[derive(Clone, Debug)]
pub struct RowHistory {
    rows: VecDeque<[u8; BANDS]>,
    first: u64,
    capacity: usize,
}

impl RowHistory {
    /// An empty history of a stream with `rows_per_second`.
    pub fn new(rows_per_second: f64) -> Self {
        Self { rows: VecDeque::new(), first: 0, capacity: (SECONDS * rows_per_second).clamp(1.0, 65_536.0) as usize }
    }

    /// Keeps `levels` as row `row`. Rows older than the history are left out; rows that are passed over are silent.
    pub fn write(&mut self, row: u64, levels: &Row) {
        let end = self.first + self.rows.len() as u64;
        if row >= end {
            let missing = row - end;
            if missing >= self.capacity as u64 {
                self.rows.clear();
                self.first = row;
            } else {
                (0..missing).for_each(|_| self.push([0; BANDS]));
            }
            self.push(levels.map(|level| (level * 255.0).round() as u8));
        } else if let Some(kept) = row.checked_sub(self.first).and_then(|index| self.rows.get_mut(index as usize)) {
            *kept = levels.map(|level| (level * 255.0).round() as u8);
        }
    }

    /// The levels of `row`; `None` where it is too old, or has not come.
    pub fn row(&self, row: u64) -> Option<Row> {
        let index = row.checked_sub(self.first)?;
        self.rows.get(usize::try_from(index).ok()?).map(|levels| levels.map(|level| f32::from(level) / 255.0))
    }

    fn push(&mut self, levels: [u8; BANDS]) {
        if self.rows.len() == self.capacity {
            self.rows.pop_front();
            self.first += 1;
        }
        self.rows.push_back(levels);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(history: &RowHistory, row: u64) -> Option<f32> {
        history.row(row).map(|levels| (levels[7] * 255.0).round())
    }

    #[test]
    fn rows_are_found_again_until_they_are_too_old() {
        let mut history = RowHistory::new(1.0);
        for row in 0..200 {
            history.write(row, &[row as f32 / 255.0; BANDS]);
        }
        assert_eq!((level(&history, 199), level(&history, 80)), (Some(199.0), Some(80.0)));
        assert_eq!((level(&history, 79), level(&history, 200)), (None, None));
        history.write(150, &[1.0; BANDS]);
        history.write(10, &[1.0; BANDS]);
        assert_eq!((level(&history, 150), level(&history, 10)), (Some(255.0), None));
        assert_eq!(history.rows.len(), 120);
    }

    #[test]
    fn a_jump_leaves_silence_and_takes_no_time() {
        let mut history = RowHistory::new(1.0);
        history.write(0, &[1.0; BANDS]);
        history.write(3, &[1.0; BANDS]);
        assert_eq!((level(&history, 0), level(&history, 2), level(&history, 3)), (Some(255.0), Some(0.0), Some(255.0)));
        history.write(1 << 40, &[1.0; BANDS]);
        assert_eq!((level(&history, 3), level(&history, 1 << 40)), (None, Some(255.0)));
    }
}
