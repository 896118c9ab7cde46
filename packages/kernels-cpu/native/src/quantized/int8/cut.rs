//! How a product is cut into tasks.

use super::micro::Micro8;
use crate::gemm::ahead::{Region, Use};
use crate::quantized::Int8;
use std::ops::Range;

/// Most bytes of the panels of a task: less than half of a second-level cache.
const PANEL_BYTES: usize = 400 << 10;
/// Most columns of a task.
const PANEL_COLS: usize = 256;

/// Tasks of `task_rows` x `task_cols` of y, whose panels hold all of k.
pub struct Cut {
    rows: usize,
    cols: usize,
    k: usize,
    task_rows: usize,
    task_cols: usize,
    threads: usize,
}

impl Cut {
    pub fn of(micro: &Micro8, (rows, cols, k): (usize, usize, usize), threads: usize) -> Self {
        let fit = PANEL_BYTES / (4 * micro.units(k)).max(1);
        let widest = fit.min(PANEL_COLS).max(micro.nr) / micro.nr * micro.nr;
        // A few tasks per thread even out what else the machine does.
        let wanted = if threads == 1 { 1 } else { 3 * threads };
        let mut best = (usize::MAX, cols, rows);
        for across in cols.div_ceil(widest)..=cols.div_ceil(micro.nr) {
            let width = cols.div_ceil(across).next_multiple_of(micro.nr);
            // Few tasks must be a multiple of the threads, or some of them wait for the last one.
            let enough = |down: &usize| {
                let tasks = across * down;
                tasks >= wanted && (tasks >= 4 * wanted || tasks.is_multiple_of(threads))
            };
            let most = rows.div_ceil(micro.mr);
            let down = (1..=most).find(enough).unwrap_or(most);
            // Rows are read once for each task beside another, columns packed, at four times the price, for each below.
            let price = across * rows + 4 * down * cols;
            if price < best.0 {
                best = (price, width, rows.div_ceil(down).next_multiple_of(micro.mr));
            }
        }
        let (_, task_cols, task_rows) = best;
        Self { rows, cols, k, task_rows, task_cols, threads }
    }

    pub fn tasks(&self) -> usize {
        self.cols.div_ceil(self.task_cols) * self.rows.div_ceil(self.task_rows)
    }

    /// Rows and columns of a task.
    pub fn part(&self, task: usize) -> (Range<usize>, Range<usize>) {
        let across = self.cols.div_ceil(self.task_cols);
        let col = task % across * self.task_cols;
        let row = task / across * self.task_rows;
        (row..(row + self.task_rows).min(self.rows), col..(col + self.task_cols).min(self.cols))
    }

    /// What is packed for the task that this thread gets next when all are as fast.
    pub fn packed_after(&self, task: usize, w: &Int8, by_rows: bool) -> Region {
        let next = task + self.threads;
        if next >= self.tasks() || self.part(next).1 == self.part(task).1 {
            return Region::EMPTY;
        }
        let cols = self.part(next).1;
        let codes = w.codes.of::<u8>();
        let (at, rows, bytes) = if by_rows {
            (codes.wrapping_add(cols.start * w.cols), cols.len(), self.k)
        } else {
            (codes.wrapping_add(cols.start), self.k, cols.len())
        };
        Region::of(at, w.cols, (rows, bytes), Use::Later)
    }
}
