//! Products in blocks. Columns of B are packed into panels that stay in the second-level cache while rows of A go by, a
//! tile at a time, read where they lie; a tile's accumulators stay in the first-level cache until they are stored.
//!
//! Tasks own disjoint parts of the output and the cut of k into blocks depends on k alone, so a result has the same bits
//! on any number of threads.

use super::micro::{Factors, MAX_ROWS, MOST_FACTORS, Micro};
use super::pack::{self, Operand};
use super::store::{self, Output};
use crate::dtype::FloatDType;
use crate::isa::Isa;
use crate::pool::{Pool, Scratch, scratch};
use std::ops::Range;

/// op(a) · op(b) with `k` values of each row and column.
#[derive(Clone, Copy)]
pub struct Product {
    pub left: Operand,
    pub right: Operand,
    pub k: usize,
}

/// Most bytes of the panels of a task: less than half of a second-level cache.
const PANEL_BYTES: usize = 400 << 10;
/// Most columns of a task.
const PANEL_COLS: usize = 256;
/// Most accumulators of a task that are kept while k goes by, in the last-level cache.
const KEPT: usize = 256 << 10;
/// Most bytes of rows of A that are copied at a time.
const COPIED: usize = 16 << 20;

/// y [rows, cols] = the sum of `products`, stored as `out` says. All but the first have at most `micro.depth()` values.
///
/// # Safety
/// The operands and the output hold the elements; the output overlaps no operand; the processor has `isa`.
pub unsafe fn multiply(
    pool: &Pool,
    isa: Isa,
    micro: &Micro,
    (rows, cols): (usize, usize),
    products: &[Product],
    out: &Output,
) {
    let most = products.iter().map(|x| COPIED / line_bytes(micro, x.k)).min().unwrap_or(rows);
    let chunk = if products.iter().all(|x| readable(micro, x.left, x.k)) { rows } else { most.max(MAX_ROWS) };
    let chunk = rows.div_ceil(rows.div_ceil(chunk)).next_multiple_of(micro.mr);
    for first in (0..rows).step_by(chunk) {
        let last = (first + chunk).min(rows);
        // SAFETY: the caller's operands.
        let left: Vec<Rows> = products
            .iter()
            .map(|x| unsafe { Rows::of(pool, isa, micro, x.left, first..last, x.k) })
            .collect();
        let blocks = Blocks::of(micro, last - first, cols, products[0].k, pool.threads());
        pool.run(blocks.tasks(), &|task| {
            // SAFETY: as above; tasks write disjoint parts of y.
            unsafe { blocks.run(task, isa, micro, &left, products, out, first) };
        });
    }
}

/// Whether a micro-kernel can read rows of `x` where they lie.
fn readable(micro: &Micro, x: Operand, k: usize) -> bool {
    let same = x.dtype == if micro.pair { FloatDType::Bf16 } else { FloatDType::F32 };
    // Rows at such a distance fall into one or two sets of the first-level cache, fewer than it has ways.
    let crowded = (x.ld * x.dtype.size()).is_multiple_of(2048);
    same && !x.transposed && k.is_multiple_of(micro.k_step) && !crowded
}

/// Bytes of a copied row of `k` values: an odd number of cache lines, so that rows fall into different sets.
fn line_bytes(micro: &Micro, k: usize) -> usize {
    (micro.column_bytes(k).div_ceil(64) | 1) * 64
}

/// Rows of A as micro-kernels read them.
struct Rows {
    at: *const u8,
    stride: usize,
    /// Rows from this one on are copies, which are followed by as many as the tallest tile reads.
    copied_from: usize,
    copies: Scratch<u8>,
    copy_stride: usize,
}

// SAFETY: only read while tasks run.
unsafe impl Sync for Rows {}

impl Rows {
    /// # Safety
    /// The operand holds the rows.
    unsafe fn of(pool: &Pool, isa: Isa, micro: &Micro, x: Operand, rows: Range<usize>, k: usize) -> Self {
        let count = rows.len();
        let copied_from = match (readable(micro, x, k), micro.whole_rows) {
            (true, false) => count,
            (true, true) => count / micro.mr * micro.mr,
            (false, _) => 0,
        };
        let copy_stride = line_bytes(micro, k);
        let mut copies = scratch::<u8>((count - copied_from).next_multiple_of(MAX_ROWS) * copy_stride);
        let to = Place(copies.as_mut_ptr());
        pool.ranges(count - copied_from, 16, |part| {
            let first = rows.start + copied_from;
            // SAFETY: the caller's rows; parts write disjoint copies.
            unsafe {
                let to = to.at(part.start * copy_stride);
                pack::rows(isa, micro, (to, copy_stride), x, first + part.start..first + part.end, 0..k);
            }
        });
        let at = x.from(rows.start).at;
        Self { at, stride: x.ld * x.dtype.size(), copied_from, copies, copy_stride }
    }

    /// The rows from `row` on, and their distance.
    fn from(&self, row: usize) -> (*const u8, usize) {
        if row < self.copied_from {
            (self.at.wrapping_add(row * self.stride), self.stride)
        } else {
            let skip = (row - self.copied_from) * self.copy_stride;
            (self.copies.as_ptr().wrapping_add(skip), self.copy_stride)
        }
    }
}

/// Memory that parts of a job write disjointly.
struct Place(*mut u8);

// SAFETY: as above.
unsafe impl Sync for Place {}

impl Place {
    unsafe fn at(&self, skip: usize) -> *mut u8 {
        unsafe { self.0.add(skip) }
    }
}

/// How a product is cut into tasks of `task_rows` x `task_cols`.
struct Blocks {
    rows: usize,
    cols: usize,
    k: usize,
    /// Values of k in a block, which a tile adds up in registers.
    depth: usize,
    /// Values of k whose panels are packed at a time: whole blocks.
    held: usize,
    task_rows: usize,
    task_cols: usize,
}

impl Blocks {
    fn of(micro: &Micro, rows: usize, cols: usize, k: usize, threads: usize) -> Self {
        let depth = micro.pad_k(k.div_ceil(k.div_ceil(micro.depth()).max(1)).max(1));
        // A few tasks per thread even out what else the machine does.
        let wanted = if threads == 1 { 1 } else { 3 * threads };
        let narrowest = 2 * micro.nr;
        let mut best = (usize::MAX, cols, rows, depth);
        for across in cols.div_ceil(PANEL_COLS)..=cols.div_ceil(narrowest) {
            let width = cols.div_ceil(across).next_multiple_of(micro.nr);
            let block = micro.pad_n(width) * micro.column_bytes(depth);
            let held = (PANEL_BYTES / block).max(1) * depth;
            let lowest = if held < k { rows.div_ceil((KEPT / width).max(micro.mr)) } else { 1 };
            // Few tasks must be a multiple of the threads, or some of them wait for the last one.
            let enough = |down: &usize| {
                let tasks = across * down;
                tasks >= wanted && (tasks >= 4 * wanted || tasks.is_multiple_of(threads))
            };
            let most = rows.div_ceil(micro.mr);
            let down = (lowest..=most).find(enough).unwrap_or(most);
            // Rows are read once for each task beside another, columns packed, at four times the price, for each below;
            // accumulators are fetched and put back for all panels but the first.
            let kept = 4 * rows * cols * (k.div_ceil(held).max(1) - 1) / k.max(1);
            let price = across * rows + 4 * down * cols + kept;
            if price < best.0 {
                best = (price, width, rows.div_ceil(down).next_multiple_of(micro.mr), held);
            }
        }
        let (_, task_cols, task_rows, held) = best;
        Self { rows, cols, k, depth, held, task_rows, task_cols }
    }

    fn tasks(&self) -> usize {
        self.cols.div_ceil(self.task_cols) * self.rows.div_ceil(self.task_rows)
    }

    /// Rows and columns of a task.
    fn part(&self, task: usize) -> (Range<usize>, Range<usize>) {
        let across = self.cols.div_ceil(self.task_cols);
        let col = task % across * self.task_cols;
        let row = task / across * self.task_rows;
        (row..(row + self.task_rows).min(self.rows), col..(col + self.task_cols).min(self.cols))
    }

    /// `offset` is the row of the output where the rows begin.
    #[expect(clippy::too_many_arguments, reason = "products and their output")]
    unsafe fn run(
        &self,
        task: usize,
        isa: Isa,
        micro: &Micro,
        left: &[Rows],
        products: &[Product],
        out: &Output,
        offset: usize,
    ) {
        let (Range { start: first, end: last }, cols) = self.part(task);
        let padded = micro.pad_n(cols.len());
        let height = micro.tile_rows(last - first);
        let held = self.held.min(self.k.max(1));
        let is_kept = held < self.k;
        let mut b = scratch::<u8>(padded * held.div_ceil(self.depth) * micro.column_bytes(self.depth));
        let rest = products.get(1);
        let rest_bytes = rest.map_or(0, |x| micro.column_bytes(x.k));
        let mut b_rest = scratch::<u8>(padded * rest_bytes);
        let mut c =
            scratch::<f32>((if is_kept { last - first } else { 1 }).next_multiple_of(MAX_ROWS) * padded);
        let block_bytes = padded * micro.column_bytes(self.depth);
        // SAFETY: the caller's operands, and scratch of the sizes that packing and blocks need.
        unsafe {
            if let Some(x) = rest {
                pack::panels(isa, micro, b_rest.as_mut_ptr(), x.right, cols.clone(), 0..x.k);
            }
            let mut start = 0;
            loop {
                let end = (start + held).min(self.k);
                let depths = || (start..end.max(start + 1)).step_by(self.depth).enumerate();
                for (block, from) in depths() {
                    let to = b.as_mut_ptr().add(block * block_bytes);
                    let depth = from..(from + self.depth).min(end);
                    pack::panels(isa, micro, to, products[0].right, cols.clone(), depth);
                }
                for row in (first..last).step_by(height) {
                    let rows = height.min(last - row);
                    let c = c.as_mut_ptr().add(if is_kept { (row - first) * padded } else { 0 });
                    for (block, from) in depths() {
                        let k = self.depth.min(end - from);
                        let is_last = from + k == self.k;
                        let (a, stride) = left[0].from(row);
                        let own = Factors {
                            k,
                            a: a.wrapping_add(from * micro.value_bytes()),
                            stride,
                            b: b.as_ptr().add(block * block_bytes),
                            column_bytes: micro.column_bytes(k),
                        };
                        let mut factors = [own; MOST_FACTORS];
                        let mut count = 1;
                        if let (true, Some(x)) = (is_last, rest) {
                            let (a, stride) = left[1].from(row);
                            let (b, column_bytes) = (b_rest.as_ptr(), rest_bytes);
                            factors[1] = Factors { k: x.k, a, stride, b, column_bytes };
                            count = 2;
                        }
                        micro.block(rows, padded, &factors[..count], c, padded, from > 0);
                    }
                    if end == self.k {
                        let rows = offset + row..offset + row + rows;
                        store::store(isa, out, c, padded, rows, cols.clone());
                    }
                }
                start = end;
                if start >= self.k {
                    break;
                }
            }
        }
    }
}
