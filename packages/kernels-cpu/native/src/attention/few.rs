//! A few rows against keys and values where they lie, page by page: a decoding step, in which packing keys and values
//! would cost more than all the rest.
//!
//! Each row goes through the keys that it sees in one order and no others, whatever rows it shares a block with: where rows
//! are invariant every query comes here.

use super::forward::Heads;
use super::rows::RowBlock;
use super::softmax::{Scores, Step};
use super::{KEY_BLOCK, ROW_BYTES};
use crate::element::Element;
use crate::gemm::dot::{self, Groups};
use crate::gemm::operand::Operand;
use crate::isa::{Loop, mul_add, vectorised};
use crate::pool::scratch;
use crate::with_element;
use std::ops::Range;

/// Most rows of a block that are not worth packing for.
pub const FEW: usize = 16;
/// Rows of a block, about, where every query comes here: what is loaded of keys and values serves as many.
pub const INVARIANT: usize = 32;

/// Elements of a row of values that are summed together, in registers.
const STRIP: usize = 32;
/// Rows that share what is loaded of the values.
const SIDE: usize = 4;

/// Keys and values of the first of some heads, from some key on to the end of a page, as operands (key, dim). Those of the
/// next head lie behind them.
pub struct Run {
    pub k: Operand,
    pub v: Operand,
    pub keys: usize,
}

impl Heads<'_> {
    /// out of blocks of rows, at most about [`FEW`]: the same queries of a sequence, each with the heads of one key head, which
    /// lie side by side, so that pages are read as they lie. `from` gives keys and values from a key on.
    ///
    /// # Safety
    /// The tensors hold the rows of the blocks, and what `from` returns its keys.
    pub unsafe fn few_rows(
        &self,
        blocks: &[RowBlock],
        out: *mut u8,
        q: *const u8,
        from: impl Fn(usize) -> Run,
    ) {
        let &Self { isa, dim, dtype, .. } = self;
        let Some(RowBlock { rows, .. }) = blocks.first() else { return };
        let (rows, all) = (*rows, *rows * blocks.len());
        let bytes = dim * dtype.size();
        let total = blocks[0].end(rows - 1);
        let mut staged = scratch::<u8>(all * bytes);
        let mut scores = scratch::<f32>(all * KEY_BLOCK);
        let mut weights = scratch::<u8>(all * ROW_BYTES);
        let mut sums = scratch::<f32>(all * dim);
        let mut state = scratch::<f32>(2 * all);
        let (max, sum) = state.split_at_mut(all);
        max.fill(f32::NEG_INFINITY);
        sum.fill(0.0);
        sums.fill(0.0);
        let mut runs = Vec::new();
        let mut seen = vec![0; rows];
        // SAFETY: the caller's tensors; scratch of these sizes.
        unsafe {
            let (staged, scores, weights) = (staged.as_mut_ptr(), scores.as_mut_ptr(), weights.as_mut_ptr());
            let (max, sum, sums) = (max.as_mut_ptr(), sum.as_mut_ptr(), sums.as_mut_ptr());
            // What comes before the rows of a block, by its number.
            let skip = |i: usize| i * rows;
            for (i, block) in blocks.iter().enumerate() {
                block.gather(isa, (staged.add(skip(i) * bytes), bytes), q, bytes);
            }
            for key in (0..total).step_by(KEY_BLOCK) {
                let count = KEY_BLOCK.min(total - key);
                runs.clear();
                let mut at = 0;
                while at < count {
                    let run = from(key + at);
                    let keys = run.keys.min(count - at);
                    // Asked for while the scores of this run are computed: its values, and the keys of the next.
                    let next = key + at + keys < total;
                    let next = if next { from(key + at + keys).k.at } else { run.v.at };
                    let groups = Groups {
                        count: blocks.len(),
                        apart: (rows * KEY_BLOCK, rows * dim, dim),
                        ahead: [run.v.at, next],
                    };
                    let x = Operand { at: staged, ld: dim, transposed: false, dtype };
                    let to = scores.add(at);
                    dot::grouped(isa, to, KEY_BLOCK, (x, 0..rows), (run.k, 0..keys), dim, &groups);
                    runs.push((at, keys, run.v));
                    at += keys;
                }
                for (i, block) in blocks.iter().enumerate() {
                    let step = Step {
                        scores: Scores {
                            block,
                            scale: self.scale,
                            slopes: self.mask.alibi_slopes,
                            key,
                            cols: count,
                            ld: KEY_BLOCK,
                        },
                        rows: 0..rows,
                        s: scores.add(skip(i) * KEY_BLOCK),
                        p: weights.add(skip(i) * ROW_BYTES),
                        pair: false,
                        max: max.add(skip(i)),
                        sum: sum.add(skip(i)),
                        out: sums.add(skip(i) * dim),
                        out_ld: dim,
                        scale_out: key > 0,
                    };
                    vectorised(isa, step);
                }
                for &(at, keys, Operand { at: v, ld, .. }) in &runs {
                    for (row, seen) in seen.iter_mut().enumerate() {
                        *seen = blocks[0].end(row).saturating_sub(key + at).min(keys);
                    }
                    for i in 0..blocks.len() {
                        let p = weights.add(skip(i) * ROW_BYTES).cast::<f32>().add(at);
                        let sums = sums.add(skip(i) * dim);
                        with_element!(dtype, T => {
                            let v = v.cast::<T>().add(i * dim);
                            vectorised(isa, Values { sums, dim, p, v, ld, seen: &seen });
                        });
                    }
                }
            }
            for (i, block) in blocks.iter().enumerate() {
                let sum = std::slice::from_raw_parts(sum.add(skip(i)), rows);
                block.scatter(isa, out, (sums.add(skip(i) * dim), dim), Some(sum), dim, dtype);
            }
        }
    }
}

/// sums [rows, dim] += p · v: p [rows, keys] in packed rows of f32, v [keys, ld].
struct Values<'a, T> {
    sums: *mut f32,
    dim: usize,
    p: *const f32,
    v: *const T,
    ld: usize,
    /// Keys that each row sees, of which none has fewer than the row before.
    seen: &'a [usize],
}

impl<T: Element> Values<'_, T> {
    /// The keys `keys` for elements `d..d + W` of rows `row..row + R`.
    ///
    /// # Safety
    /// The sums have these elements; p and v hold the keys, for the rows and elements.
    #[inline(always)]
    unsafe fn strip<const FMA: bool, const R: usize, const W: usize>(
        &self,
        row: usize,
        d: usize,
        keys: Range<usize>,
    ) {
        // SAFETY: the caller's rows and elements.
        unsafe {
            let to = |i: usize| self.sums.add((row + i) * self.dim + d).cast::<[f32; W]>();
            let mut sums = [[0f32; W]; R];
            for (i, sums) in sums.iter_mut().enumerate() {
                *sums = to(i).read_unaligned();
            }
            for key in keys {
                let from = self.v.add(key * self.ld + d).cast::<[T; W]>().read_unaligned();
                let mut values = [0f32; W];
                for (value, from) in values.iter_mut().zip(from) {
                    *value = from.load();
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let p = *self.p.add((row + i) * (ROW_BYTES / 4) + key);
                    for (sum, value) in sums.iter_mut().zip(values) {
                        *sum = mul_add::<FMA>(p, value, *sum);
                    }
                }
            }
            for (i, sums) in sums.into_iter().enumerate() {
                to(i).write_unaligned(sums);
            }
        }
    }

    /// The keys `keys` for all elements of rows `row..row + R`.
    ///
    /// # Safety
    /// As for [`Self::strip`].
    #[inline(always)]
    unsafe fn some_keys<const FMA: bool, const R: usize>(&self, row: usize, keys: Range<usize>) {
        let whole = self.dim / STRIP * STRIP;
        // SAFETY: the caller's rows.
        unsafe {
            for d in (0..whole).step_by(STRIP) {
                self.strip::<FMA, R, STRIP>(row, d, keys.clone());
            }
            for d in whole..self.dim {
                self.strip::<FMA, R, 1>(row, d, keys.clone());
            }
        }
    }

    /// What rows `row..row + R` see: all together as far as the first of them, then each by itself. Keys beyond, of weight 0,
    /// are left out: they would turn a negative zero, and hand on what is not finite.
    ///
    /// # Safety
    /// As for [`Self::strip`].
    #[inline(always)]
    unsafe fn side<const FMA: bool, const R: usize>(&self, row: usize) {
        let common = self.seen[row];
        // SAFETY: the caller's rows.
        unsafe {
            self.some_keys::<FMA, R>(row, 0..common);
            for (row, &seen) in self.seen.iter().enumerate().take(row + R).skip(row) {
                if seen > common {
                    self.some_keys::<FMA, 1>(row, common..seen);
                }
            }
        }
    }
}

impl<T: Element> Loop for Values<'_, T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let rows = self.seen.len();
        for row in (0..rows).step_by(SIDE) {
            // SAFETY: the caller's rows.
            unsafe {
                match (rows - row).min(SIDE) {
                    1 => self.side::<FMA, 1>(row),
                    2 => self.side::<FMA, 2>(row),
                    3 => self.side::<FMA, 3>(row),
                    _ => self.side::<FMA, SIDE>(row),
                }
            }
        }
    }
}
