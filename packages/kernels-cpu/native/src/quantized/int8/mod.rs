//! Products of float rows with an int8 matrix, multiplied in int8: rows of x become whole numbers, a block of k at a time, and
//! sums of their products with the codes of w are exact.
//!
//! With q(x) the codes of x, s(x) the scale of a row in a block of [`BLOCK`] values of k, and w = codes · s(w) / 127 by rows:
//!
//!   y = x wᵀ: (Σ over blocks of s(x) · Σ q(x) · codes) · s(w) / 127; the scales of w belong to columns of y,
//!   y = x w: the same with q(x ∘ s(w) / 127); the scales of w belong to values of k.
//!
//! A scale is a row's own in a block (largest magnitude / 127), so a column of x that is much larger than the others costs exactness in
//! its block alone, and a row has the same bits in any company. The sums of a block are added up in f32 in the order of k.

mod cut;
pub mod micro;
mod panels;
mod rows;
#[cfg(test)]
mod tests;

use super::{Int8, ONE_OVER_127};
use crate::gemm::ahead::{Ahead, Region};
use crate::gemm::micro::{Factors, MAX_ROWS, Micro};
use crate::gemm::operand::Operand;
use crate::gemm::pack;
use crate::gemm::store::{self, Output};
use crate::gemm::{GemmParams, Plus};
use crate::isa::Isa;
use crate::pool::{Pool, Scratch, scratch};
use cut::Cut;
use micro::{Micro8, Terms};
use rows::Codes;

/// Values of k that share a scale in a row of x.
pub const BLOCK: usize = 64;

/// Most values of k of a tile's rows that are multiplied before the next columns: they stay in the first-level cache.
const DEPTH: usize = 1536 / BLOCK * BLOCK;

/// y [m, n] = alpha · x [m, k] · op(w) + beta · y (+ bias [n] on every row) (+ plus), with w [n, k] when `p.trans_b`, else [k, n].
///
/// A row of x that holds a NaN or an infinity gives NaN in a whole row of y. Blocks of x of which no magnitude is above 1e-35 count as
/// zeros.
///
/// # Safety
/// `y`, `x`, `bias` (null for none) and the operands of `plus` hold the elements that `p` and `plus` name, and w is of p's shape; y overlaps
/// no input; the processor has `isa` and the instructions of `micro`; x is not transposed.
#[expect(clippy::too_many_arguments, reason = "gemm's, the kernel that tests force, and the second product")]
pub unsafe fn multiply(
    pool: &Pool,
    isa: Isa,
    micro: &Micro8,
    y: *mut u8,
    x: *const u8,
    w: &Int8,
    bias: *const u8,
    p: &GemmParams,
    plus: Option<&Plus>,
) {
    let &GemmParams { m, n, k, dtype, .. } = p;
    if m == 0 || n == 0 {
        return;
    }
    // The second product is added to sums that its factor has been taken out of, and both are stored with it.
    let plus = plus.filter(|plus| plus.k > 0 && plus.alpha != 0.0);
    let alpha = plus.map_or(p.alpha, |plus| plus.alpha);
    let own = if plus.is_some() { p.alpha / alpha } else { 1.0 };
    let mut scales = scratch::<f32>(if p.trans_b { n } else { k });
    for (r, scale) in scales.iter_mut().enumerate() {
        // SAFETY: a row of w.
        *scale = unsafe { w.row(r).1 } * ONE_OVER_127;
    }
    let of_depth = if p.trans_b { std::ptr::null() } else { scales.as_ptr() };
    let mut of_columns = scratch::<f32>(if p.trans_b || own != 1.0 { n } else { 0 });
    for (j, factor) in of_columns.iter_mut().enumerate() {
        *factor = own * if p.trans_b { scales[j] } else { 1.0 };
    }
    // SAFETY: rows of x, and a scale for each value of k.
    let codes = unsafe { Codes::of(pool, isa, micro, (x, dtype), of_depth, (m, k)) };
    let out = Output {
        at: y,
        ld: n,
        transposed: false,
        dtype: p.out_dtype,
        alpha,
        add: p.accumulate,
        bias,
        bias_dtype: dtype,
    };
    let task = Task { isa, micro, codes: &codes, w, p, plus, of_columns: &of_columns, out: &out };
    let cut = Cut::of(micro, (m, n, k), pool.threads());
    pool.run(cut.tasks(), &|number| {
        // SAFETY: the caller's operands; tasks write disjoint parts of y.
        unsafe { task.run(&cut, number) };
    });
}

/// What all tasks of a product share.
struct Task<'a> {
    isa: Isa,
    micro: &'a Micro8,
    codes: &'a Codes,
    w: &'a Int8,
    p: &'a GemmParams,
    plus: Option<&'a Plus>,
    /// Factors of the columns of y; none where all are 1.
    of_columns: &'a [f32],
    out: &'a Output,
}

// SAFETY: what it refers to is only read, but for the output, of which tasks write disjoint parts.
unsafe impl Sync for Task<'_> {}

impl Task<'_> {
    /// # Safety
    /// The operands hold the rows and columns of the task, and no other thread writes its part of the output; the processor has the
    /// instructions.
    unsafe fn run(&self, cut: &Cut, number: usize) {
        let &Self { isa, micro, codes, w, p, of_columns, out, .. } = self;
        let (rows, cols) = cut.part(number);
        let k = p.k;
        let (padded, units) = (micro.pad_n(cols.len()), micro.units(k));
        let column = 4 * units;
        let mut panels = scratch::<u8>(padded * column);
        // SAFETY: the columns of w, and room for their panels.
        unsafe { panels::pack(isa, micro, panels.as_mut_ptr(), w, cols.clone(), k, p.trans_b) };
        // SAFETY: the caller's.
        let mut rest = self.plus.map(|plus| unsafe { Rest::of(isa, plus, p, cols.clone()) });
        // Columns beyond the last have factors too.
        let mut factors = scratch::<f32>(padded);
        if !of_columns.is_empty() {
            factors[..cols.len()].copy_from_slice(&of_columns[cols.clone()]);
            factors[cols.len()..].fill(0.0);
        }
        let ldc = rest.as_ref().map_or(padded, |rest| padded.max(rest.micro.pad_n(cols.len())));
        let mut c = scratch::<f32>(MAX_ROWS * ldc);
        let c = c.as_mut_ptr();
        let height = micro.tile_rows(rows.len());
        let blocks = k.div_ceil(BLOCK);
        let deep = DEPTH / BLOCK;
        let mut next_panels = cut.packed_after(number, w, p.trans_b);
        for row in rows.clone().step_by(height) {
            let here = row..(row + height).min(rows.end);
            let after = here.end..(here.end + height).min(rows.end);
            for first in (0..blocks.max(1)).step_by(deep) {
                let last = (first + deep).min(blocks);
                let is_last = last == blocks;
                let read = if is_last {
                    codes.region(after.clone(), 0..deep.min(blocks))
                } else {
                    codes.region(here.clone(), last..(last + deep).min(blocks))
                };
                let written = if is_last { out.region(here.clone(), cols.clone()) } else { Region::EMPTY };
                let mut ahead = Ahead::of([read, written, next_panels]);
                let mut col = 0;
                while col < padded {
                    let width = micro.panel(cols.len() - col);
                    let skipped = first * BLOCK / micro.values;
                    let terms = Terms {
                        a: codes.at(here.start, first * BLOCK),
                        stride: codes.stride,
                        scales: codes.scale(here.start, first),
                        starts: codes.start(here.start, first),
                        across: codes.blocks,
                        // SAFETY: inside the panels.
                        b: unsafe { panels.as_ptr().add(col * column + 4 * width * skipped) },
                        blocks: last - first,
                        units: (units - skipped).min((last - first) * BLOCK / micro.values),
                        factors: if is_last && !of_columns.is_empty() {
                            // SAFETY: inside the factors.
                            unsafe { factors.as_ptr().add(col) }
                        } else {
                            std::ptr::null()
                        },
                        accumulate: first > 0,
                    };
                    // SAFETY: rows of codes, a panel and a tile of c; the caller's instructions.
                    unsafe { micro.tile(here.len(), width)(&terms, c.add(col), ldc, &mut ahead) };
                    col += width;
                }
                next_panels = ahead.last();
            }
            // SAFETY: the rows of the second product, and a tile of c; the caller's output.
            unsafe {
                if let Some(rest) = &mut rest {
                    rest.add(isa, here.clone(), c, ldc);
                }
                store::store(isa, out, c, ldc, here, cols.clone());
            }
        }
    }
}

/// The second product: panels of its columns, and room for a tile of its rows. It is added up in floats.
struct Rest {
    micro: &'static Micro,
    left: Operand,
    panels: Scratch<u8>,
    copies: Scratch<u8>,
    k: usize,
    cols: usize,
}

impl Rest {
    /// # Safety
    /// `plus` holds the columns.
    unsafe fn of(isa: Isa, plus: &Plus, p: &GemmParams, cols: std::ops::Range<usize>) -> Self {
        // A kernel of tiles that are computed whole is not worth its setting up for so few k.
        let micro = Micro::of(if isa == Isa::Amx { Isa::Avx512Bf16 } else { isa }, p.dtype);
        let k = plus.k;
        let right = Operand {
            at: plus.b,
            ld: if p.trans_b { k } else { p.n },
            transposed: !p.trans_b,
            dtype: p.dtype,
        };
        let left = Operand { at: plus.a, ld: k, transposed: false, dtype: p.dtype };
        let mut panels = scratch::<u8>(micro.pad_n(cols.len()) * micro.column_bytes(k));
        let count = cols.len();
        // SAFETY: the caller's columns, and room for their panels.
        unsafe { pack::panels(isa, micro, panels.as_mut_ptr(), right, cols, 0..k) };
        let copies = scratch::<u8>(MAX_ROWS * micro.column_bytes(k));
        Self { micro, left, panels, copies, k, cols: count }
    }

    /// c [rows, cols] += their products.
    ///
    /// # Safety
    /// The rows exist, at most [`MAX_ROWS`], and `c` has them.
    unsafe fn add(&mut self, isa: Isa, rows: std::ops::Range<usize>, c: *mut f32, ldc: usize) {
        let (micro, k) = (self.micro, self.k);
        let stride = micro.column_bytes(k);
        let count = rows.len();
        // SAFETY: the caller's rows, and room for their copies; the panels are of the same kernel.
        unsafe {
            pack::rows(isa, micro, (self.copies.as_mut_ptr(), stride), self.left, rows, 0..k);
            let b = self.panels.as_ptr();
            let factors = [Factors { k, a: self.copies.as_ptr(), stride, b, column_bytes: stride }];
            let _session = micro.session();
            micro.block(count, micro.pad_n(self.cols), &factors, c, ldc, true);
        }
    }
}
