//! Products in blocks. Columns of B are packed into panels that stay in the second-level cache while rows of A go by, a
//! tile at a time, read where they lie; a tile's accumulators stay in the first-level cache until they are stored.
//!
//! Tasks own disjoint parts of the output and the cut of k into blocks depends on k alone, so a result has the same bits
//! on any number of threads.

use super::ahead::{Ahead, Region, Use};
use super::micro::{Factors, MAX_ROWS, MOST_FACTORS, Micro};
use super::operand::Operand;
use super::pack;
use super::store::{self, Output};
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
/// Most columns of a task, and of one of a deep product.
const PANEL_COLS: usize = 256;
const DEEP_COLS: usize = 320;
/// Bytes of a column that make a product deep: what it reads is much more than its output, and no cache holds it. Every task
/// reads its share again, so there are no more of them than threads.
const DEEP: usize = 24 << 10;
/// Most accumulators of a task that are kept while k goes by, in the last-level cache.
const KEPT: usize = 256 << 10;
/// Most bytes of rows of A that are copied at a time.
const COPIED: usize = 16 << 20;

/// y [rows, cols] = the sum of `products`, stored as `out` says. All but the first have at most `micro.depth` values.
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
    let chunk = if products.iter().any(|x| must_turn(micro, x.left)) { most.max(MAX_ROWS) } else { rows };
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

/// Whether rows of `x` are of another type than a micro-kernel reads, or columns in memory.
fn must_turn(micro: &Micro, x: Operand) -> bool {
    x.transposed || x.dtype != micro.dtype()
}

/// Bytes of a copied row of `k` values: an odd number of cache lines, so that rows fall into different sets.
fn line_bytes(micro: &Micro, k: usize) -> usize {
    (micro.column_bytes(k).div_ceil(64) | 1) * 64
}

/// Rows of A in the type of the micro-kernel, one after the other.
struct Rows {
    /// The operand from the first row on, or copies of it.
    x: Operand,
    copies: Option<Scratch<u8>>,
    /// They cannot be multiplied as they lie: each tile of them is copied first.
    by_tile: bool,
}

// SAFETY: only read while tasks run.
unsafe impl Sync for Rows {}

impl Rows {
    /// # Safety
    /// The operand holds the rows.
    unsafe fn of(pool: &Pool, isa: Isa, micro: &Micro, x: Operand, rows: Range<usize>, k: usize) -> Self {
        if !must_turn(micro, x) {
            // Rows at such a distance fall into one or two sets of the first-level cache, which has fewer ways.
            let crowded = (x.ld * x.dtype.size()).is_multiple_of(2048);
            return Self {
                x: x.from(rows.start),
                copies: None,
                by_tile: crowded || !k.is_multiple_of(micro.k_step),
            };
        }
        let stride = line_bytes(micro, k);
        let mut copies = scratch::<u8>(rows.len().next_multiple_of(MAX_ROWS) * stride);
        let to = Place(copies.as_mut_ptr());
        pool.ranges(rows.len(), 16, |part| {
            // SAFETY: the caller's rows; parts write disjoint copies.
            unsafe {
                let to = to.at(part.start * stride);
                pack::rows(isa, micro, (to, stride), x, rows.start + part.start..rows.start + part.end, 0..k);
            }
        });
        let dtype = micro.dtype();
        let x = Operand { at: copies.as_ptr(), ld: stride / dtype.size(), transposed: false, dtype };
        Self { x, copies: Some(copies), by_tile: false }
    }

    fn at(&self, micro: &Micro, row: usize, depth: usize) -> *const u8 {
        self.x.from(row).at.wrapping_add(depth * micro.value_bytes())
    }

    /// Where the values `depth` of these rows are.
    fn region(&self, micro: &Micro, rows: Range<usize>, depth: Range<usize>) -> Region {
        let stride = self.x.ld * micro.value_bytes();
        let at = self.at(micro, rows.start, depth.start);
        Region::of(at, stride, (rows.len(), depth.len() * micro.value_bytes()), Use::Read)
    }
}

/// Memory that parts of a job write disjointly.
struct Place(*mut u8);

// SAFETY: as above.
unsafe impl Sync for Place {}

impl Place {
    /// # Safety
    /// The memory goes on behind `skip` bytes.
    unsafe fn at(&self, skip: usize) -> *mut u8 {
        // SAFETY: the caller's.
        unsafe { self.0.add(skip) }
    }
}

/// Values of k in a block of a product of `k`.
pub fn depth(micro: &Micro, k: usize) -> usize {
    micro.pad_k(k.div_ceil(k.div_ceil(micro.depth).max(1)).max(1))
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
    threads: usize,
}

impl Blocks {
    fn of(micro: &Micro, rows: usize, cols: usize, k: usize, threads: usize) -> Self {
        let depth = depth(micro, k);
        let is_deep = micro.column_bytes(k) >= DEEP;
        // A few tasks per thread even out what else the machine does.
        let wanted = if threads == 1 || is_deep { threads } else { 3 * threads };
        let widest = if is_deep { DEEP_COLS } else { PANEL_COLS };
        let narrowest = 2 * micro.nr;
        let mut best = (usize::MAX, cols, rows, depth);
        for across in cols.div_ceil(widest)..=cols.div_ceil(narrowest) {
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
        Self { rows, cols, k, depth, held, task_rows, task_cols, threads }
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

    /// The part of `x` that is packed after the values of k up to `end` in a task: of the same columns, or of those of the
    /// task that this thread gets next when all are as fast.
    fn packed_after(&self, task: usize, end: usize, x: Operand) -> Region {
        let next = task + self.threads;
        let (cols, depth) = if end < self.k {
            (self.part(task).1, end..(end + self.held).min(self.k))
        } else if next < self.tasks() && self.part(next).1 != self.part(task).1 {
            (self.part(next).1, 0..self.held.min(self.k))
        } else {
            return Region::EMPTY;
        };
        let size = x.dtype.size();
        let (rows, along) = if x.transposed { (depth, cols) } else { (cols, depth) };
        let at = x.from(rows.start).at.wrapping_add(along.start * size);
        Region::of(at, x.ld * size, (rows.len(), along.len() * size), Use::Later)
    }

    /// `offset` is the row of the output where the rows begin.
    ///
    /// # Safety
    /// `left` and the right operands hold the rows and columns of the task, and the output their products, which no other task
    /// touches; the processor has `isa`, and `micro` is one of it.
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
        let (rows, cols) = self.part(task);
        let padded = micro.pad_n(cols.len());
        let height = micro.tile_rows(rows.len());
        let held = self.held.min(self.k.max(1));
        let is_kept = held < self.k;
        let block_bytes = padded * micro.column_bytes(self.depth);
        let mut b = scratch::<u8>(held.div_ceil(self.depth) * block_bytes);
        let kept_rows = if is_kept { rows.len() } else { 1 };
        let mut c = scratch::<f32>(kept_rows.next_multiple_of(MAX_ROWS) * padded);
        // SAFETY: the caller's operands, and scratch of the sizes that packing and blocks need.
        unsafe {
            let rest = products.get(1).map(|x| Rest::of(isa, micro, x, cols.clone()));
            let mut tile = TileRows::of(isa, micro, self.depth);
            let mut rest_tile = TileRows::of(isa, micro, rest.as_ref().map_or(0, |rest| rest.k));
            let _session = micro.session();
            let mut start = 0;
            loop {
                let end = (start + held).min(self.k);
                let blocks = || (start..end.max(start + 1)).step_by(self.depth).enumerate();
                for (block, from) in blocks() {
                    let to = b.as_mut_ptr().add(block * block_bytes);
                    let depth = from..(from + self.depth).min(end);
                    pack::panels(isa, micro, to, products[0].right, cols.clone(), depth);
                }
                let mut packed_next = self.packed_after(task, end, products[0].right);
                for row in rows.clone().step_by(height) {
                    let here = row..(row + height).min(rows.end);
                    let next = here.end..(here.end + height).min(rows.end);
                    let c = c.as_mut_ptr().add(if is_kept { (row - rows.start) * padded } else { 0 });
                    for (block, from) in blocks() {
                        let k = self.depth.min(end - from);
                        let is_last = from + k == self.k;
                        let read_next = if from + k < end {
                            left[0].region(micro, here.clone(), from + k..end.min(from + k + self.depth))
                        } else {
                            left[0].region(micro, next.clone(), start..end.min(start + self.depth))
                        };
                        let written = if is_last {
                            out.region(offset + here.start..offset + here.end, cols.clone())
                        } else {
                            Region::EMPTY
                        };
                        let mut ahead = Ahead::of([read_next, written, packed_next]);
                        let (a, stride) = tile.rows(&left[0], here.clone(), from..from + k);
                        let panels = b.as_ptr().add(block * block_bytes);
                        let own = Factors { k, a, stride, b: panels, column_bytes: micro.column_bytes(k) };
                        let mut factors = [own; MOST_FACTORS];
                        let mut count = 1;
                        if let (true, Some(rest)) = (is_last, &rest) {
                            let (a, stride) = rest_tile.rows(&left[1], here.clone(), 0..rest.k);
                            factors[1] = rest.factors(micro, a, stride);
                            count = 2;
                        }
                        micro.block_with(
                            here.len(),
                            padded,
                            &factors[..count],
                            c,
                            padded,
                            from > 0,
                            &mut ahead,
                        );
                        packed_next = ahead.last();
                    }
                    if end == self.k {
                        let here = offset + here.start..offset + here.end;
                        store::store(isa, out, c, padded, here, cols.clone());
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

/// Panels of the second product, which goes along with the last block of the first.
struct Rest {
    panels: Scratch<u8>,
    k: usize,
}

impl Rest {
    /// # Safety
    /// The operand holds the columns.
    unsafe fn of(isa: Isa, micro: &Micro, x: &Product, cols: Range<usize>) -> Self {
        let mut panels = scratch::<u8>(micro.pad_n(cols.len()) * micro.column_bytes(x.k));
        // SAFETY: the caller's columns, and room for their panels.
        unsafe { pack::panels(isa, micro, panels.as_mut_ptr(), x.right, cols, 0..x.k) };
        Self { panels, k: x.k }
    }

    fn factors(&self, micro: &Micro, a: *const u8, stride: usize) -> Factors {
        let (b, column_bytes) = (self.panels.as_ptr(), micro.column_bytes(self.k));
        Factors { k: self.k, a, stride, b, column_bytes }
    }
}

/// Room for the rows of a tile, where they cannot be read as they lie.
struct TileRows<'a> {
    isa: Isa,
    micro: &'a Micro,
    copies: Scratch<u8>,
    stride: usize,
}

impl<'a> TileRows<'a> {
    fn of(isa: Isa, micro: &'a Micro, depth: usize) -> Self {
        let stride = line_bytes(micro, depth);
        Self { isa, micro, copies: scratch::<u8>(MAX_ROWS * stride), stride }
    }

    /// Where a micro-kernel finds the values `depth` of these rows, and the distance of rows.
    ///
    /// # Safety
    /// The rows exist, and there is room for the depth.
    unsafe fn rows(&mut self, left: &Rows, rows: Range<usize>, depth: Range<usize>) -> (*const u8, usize) {
        // A kernel of whole tiles would read beyond the last row.
        let is_short = self.micro.whole_rows && rows.len() < self.micro.mr && left.copies.is_none();
        if !left.by_tile && !is_short {
            return (left.at(self.micro, rows.start, depth.start), left.x.ld * left.x.dtype.size());
        }
        let to = (self.copies.as_mut_ptr(), self.stride);
        // SAFETY: the caller's rows, and room for a tile of them.
        unsafe { pack::rows(self.isa, self.micro, to, left.x, rows, depth) };
        (self.copies.as_ptr(), self.stride)
    }
}
