//! Products x · w^T of a few rows with AVX-512, each element summed one packed element after the other in the blocks of
//! [`super::blocked`], so that a row has the same bits here as there. Sixteen rows of w at a time are turned in registers and
//! not written anywhere: w is read once.

use super::blocked;
use super::micro::Micro;
use super::operand::Operand;
use super::pack;
use super::store::{self, Output};
use super::transpose::{load_block, transpose_16};
use crate::element::Element;
use crate::isa::Isa;
use crate::pool::{Pool, scratch};
use crate::with_element;
use std::arch::x86_64::*;
use std::mem::transmute;
use std::ops::Range;

/// Most rows of x: with more the turning is not the larger part of the work.
const MOST: usize = 8;
/// Rows of w that are turned together.
const TOGETHER: usize = 16;
/// Rows of w whose products are kept at a time.
const STRIP: usize = 64;

/// Whether [`multiply`] takes products of `m` rows.
pub fn takes(isa: Isa, m: usize) -> bool {
    isa >= Isa::Avx512 && m <= MOST
}

/// # Safety
/// x holds m rows and w n rows, both contiguous along k, and `out` their products; [`takes`] said so.
pub unsafe fn multiply(
    pool: &Pool,
    isa: Isa,
    x: Operand,
    w: Operand,
    out: &Output,
    (m, n, k): (usize, usize, usize),
) {
    let micro = Micro::of(isa, x.dtype);
    let units = micro.pad_k(k) / micro.unit();
    let mut packed = scratch::<u32>(m * units);
    // SAFETY: the rows of x, and room for them packed.
    unsafe { pack::rows(isa, micro, (packed.as_mut_ptr().cast(), 4 * units), x, 0..m, 0..k) };
    let packed = &*packed;
    let depth = blocked::depth(micro, k);
    pool.ranges(n, TOGETHER, |range| {
        let mut c = scratch::<f32>(STRIP * m);
        for first in range.clone().step_by(STRIP) {
            let strip = first..(first + STRIP).min(range.end);
            let c = c.as_mut_ptr();
            // SAFETY: rows of w; c has room for a strip of products, and other ranges have other parts of y; the processor has the
            // instructions.
            unsafe {
                with_element!(w.dtype, T => {
                    if micro.pair {
                        strip_bf16::<T>(c, m, w, strip.clone(), packed, (k, depth));
                    } else {
                        strip_512::<T>(c, m, w, strip.clone(), packed, (k, depth));
                    }
                });
                store::store(isa, out, c, STRIP, 0..m, strip);
            }
        }
    });
}

/// Calls `tile` for some rows of w, as many as go together for this many rows of x.
macro_rules! strip {
    ($name:ident, $tile:ident, $features:literal) => {
        /// c [m, STRIP] = the products of all rows of x with `rows` of w.
        ///
        /// # Safety
        /// w holds the rows of k values, x m rows packed, and c the products; the processor has the features.
        #[target_feature(enable = $features)]
        unsafe fn $name<T: Element>(
            c: *mut f32,
            m: usize,
            w: Operand,
            rows: Range<usize>,
            x: &[u32],
            k: (usize, usize),
        ) {
            let groups = if m <= 2 { 2 } else { 1 };
            for row in rows.clone().step_by(groups * TOGETHER) {
                let here = row..(row + groups * TOGETHER).min(rows.end);
                // SAFETY: the caller's rows.
                unsafe {
                    let c = c.add(row - rows.start);
                    match m {
                        1 => $tile::<T, 1, 2>(c, w, here, x, k),
                        2 => $tile::<T, 2, 2>(c, w, here, x, k),
                        3 => $tile::<T, 3, 1>(c, w, here, x, k),
                        4 => $tile::<T, 4, 1>(c, w, here, x, k),
                        5 => $tile::<T, 5, 1>(c, w, here, x, k),
                        6 => $tile::<T, 6, 1>(c, w, here, x, k),
                        7 => $tile::<T, 7, 1>(c, w, here, x, k),
                        _ => $tile::<T, 8, 1>(c, w, here, x, k),
                    }
                }
            }
        }
    };
}

/// The products of M rows of x with at most GROUPS · 16 rows of w, by `$add` of sums, an element of x everywhere, and elements
/// of w.
macro_rules! tile {
    ($name:ident, $pair:literal, $features:literal, $add:expr) => {
        /// # Safety
        /// As for the strip.
        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn $name<T: Element, const M: usize, const GROUPS: usize>(
            c: *mut f32,
            w: Operand,
            rows: Range<usize>,
            x: &[u32],
            (k, depth): (usize, usize),
        ) {
            let unit = if $pair { 2 } else { 1 };
            let units = x.len() / M;
            for from in (0..k).step_by(depth) {
                let end = (from + depth).min(k);
                let mut sums = [[_mm512_setzero_ps(); M]; GROUPS];
                for p in (from..end).step_by(16 * unit) {
                    let values = (end - p).min(16 * unit);
                    for (group, sums) in sums.iter_mut().enumerate() {
                        let row = rows.start + group * TOGETHER;
                        let count = rows.end.saturating_sub(row).min(TOGETHER);
                        // SAFETY: `values` of each of `count` rows, and packed elements of x.
                        unsafe {
                            let at = w.at.cast::<T>().wrapping_add(row * w.ld + p);
                            // The rows after these, in the order of memory: one block's worth of lines at a time.
                            let next = w.at.cast::<T>().wrapping_add((rows.start + GROUPS * TOGETHER) * w.ld);
                            let ahead = next.wrapping_add((p * GROUPS + 16 * unit * group) * TOGETHER);
                            let block =
                                transpose_16(load_block::<T, $pair>(at, w.ld, (count, values), ahead));
                            let mut step = |u: usize| {
                                for (i, sum) in sums.iter_mut().enumerate() {
                                    let x = *x.as_ptr().add(i * units + p / unit + u);
                                    *sum = $add(*sum, _mm512_set1_epi32(x.cast_signed()), block[u]);
                                }
                            };
                            // A whole block in a loop of constant length, whose vectors stay in registers.
                            if values == 16 * unit {
                                (0..16).for_each(&mut step);
                            } else {
                                (0..values.div_ceil(unit)).for_each(&mut step);
                            }
                        }
                    }
                }
                for (group, sums) in sums.iter().enumerate() {
                    for (i, sum) in sums.iter().enumerate() {
                        // SAFETY: whole vectors of c, which is a strip wide.
                        unsafe {
                            let to = c.add(i * STRIP + group * TOGETHER);
                            let sum = if from > 0 { _mm512_add_ps(_mm512_loadu_ps(to), *sum) } else { *sum };
                            _mm512_storeu_ps(to, sum);
                        }
                    }
                }
            }
        }
    };
}

tile!(tile_512, false, "avx512f,avx512bw,avx512dq,avx512vl", |sum, x, w| {
    _mm512_fmadd_ps(_mm512_castsi512_ps(x), _mm512_castsi512_ps(w), sum)
});
tile!(tile_bf16, true, "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16", |sum, x, w| {
    _mm512_dpbf16_ps(sum, transmute::<__m512i, __m512bh>(x), transmute::<__m512i, __m512bh>(w))
});
strip!(strip_512, tile_512, "avx512f,avx512bw,avx512dq,avx512vl");
strip!(strip_bf16, tile_bf16, "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16");
