//! The tiles of AVX-512, with and without dot products of bf16.

use super::{Groups, SIDE, Sides};
use crate::element::Element;
use std::arch::x86_64::*;
use std::mem::transmute;
use std::ops::Range;

/// Bytes of the large side ahead that are fetched to the second-level cache when its rows are read one after the other: from
/// memory it comes no faster into the first, whose few misses at a time would be used up.
const AHEAD: usize = 4096;

/// Calls a tile of `rows` x `cols` for every part of the sides, each of which asks for some of what comes after it where
/// `fetching`.
macro_rules! each_tile {
    ($sides:expr, $tile:ident, fetching: $fetching:literal) => {{
        let tiles = $sides.rows.div_ceil(SIDE).max(1);
        for col in (0..$sides.cols).step_by(SIDE) {
            for row in (0..$sides.rows).step_by(SIDE) {
                // All tiles beside each other fetch a share of what comes after them: one alone would wait for memory while
                // the others have nothing to wait for.
                let (nth, one) = (row / SIDE, 0..usize::from($fetching));
                let share = if $fetching { nth * SIDE / tiles..(nth + 1) * SIDE / tiles } else { 0..0 };
                match (($sides.rows - row).min(SIDE), ($sides.cols - col).min(SIDE)) {
                    (4, 4) => $tile::<_, 4, 4>($sides, row, col, share),
                    (4, cols) => {
                        (col..col + cols).for_each(|col| $tile::<_, 4, 1>($sides, row, col, one.clone()))
                    }
                    (1, 4) => $tile::<_, 1, 4>($sides, row, col, share),
                    (2, 4) => $tile::<_, 2, 4>($sides, row, col, share),
                    (3, 4) => $tile::<_, 3, 4>($sides, row, col, share),
                    (rows, cols) => (row..row + rows).for_each(|row| {
                        (col..col + cols)
                            .for_each(|col| $tile::<_, 1, 1>($sides, row, col, one.clone()))
                    }),
                }
            }
        }
    }};
}

/// [`each_tile`] of every group, as w lies in memory.
macro_rules! each_group {
    ($sides:expr, $groups:expr, $tile:ident) => {
        for cols in $sides.some_cols() {
            for group in 0..$groups.count {
                $sides.fetch_ahead($groups, group, &cols);
                let part = &$sides.part($groups, group, cols.clone());
                each_tile!(part, $tile, fetching: false);
            }
        }
    };
}

/// # Safety
/// As for [`super::products`], on a processor with the features.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub unsafe fn dot_bf16<T: Element>(sides: &Sides<T>) {
    // SAFETY: every tile lies in the sides, whose rows the caller has.
    unsafe { each_tile!(sides, tile_bf16, fetching: true) }
}

/// # Safety
/// As for [`super::products`], on a processor with the features.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub unsafe fn dot_512<T: Element>(sides: &Sides<T>) {
    // SAFETY: every tile lies in the sides, whose rows the caller has.
    unsafe { each_tile!(sides, tile_512, fetching: true) }
}

/// # Safety
/// As for [`super::grouped`], on a processor with the features.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
pub unsafe fn groups_bf16<T: Element>(sides: &Sides<T>, groups: &Groups) {
    // SAFETY: every tile lies in a part of a group, whose rows the caller has.
    unsafe { each_group!(sides, groups, tile_bf16) }
}

/// # Safety
/// As for [`super::grouped`], on a processor with the features.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub unsafe fn groups_512<T: Element>(sides: &Sides<T>, groups: &Groups) {
    // SAFETY: every tile lies in a part of a group, whose rows the caller has.
    unsafe { each_group!(sides, groups, tile_512) }
}

/// How many rows of w are read together, and how many times. With one row of x they are read one after the other, as they
/// lie in memory; with more, what is loaded of x serves all of them.
const fn order<const R: usize, const C: usize>() -> (usize, usize) {
    if R == 1 { (1, C) } else { (C, 1) }
}

/// Asks for a line of each of some rows, for the second-level cache. They need not exist.
///
/// # Safety
/// The processor has the features.
#[inline]
#[target_feature(enable = "avx512f")]
fn fetch<T>(at: *const T, ld: usize, rows: usize) {
    for row in 0..rows {
        _mm_prefetch::<_MM_HINT_T1>(at.wrapping_add(row * ld).cast());
    }
}

/// The products of R rows of x, from `row` on, with C rows of w, from `col` on.
///
/// # Safety
/// The sides hold the rows and the room for the products, and the processor has the features.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn tile_bf16<T: Element, const R: usize, const C: usize>(
    sides: &Sides<T>,
    row: usize,
    col: usize,
    share: Range<usize>,
) {
    // SAFETY: whole vectors below k, and the rest under a mask; what is fetched beyond the rows is not read.
    unsafe {
        let (x, w) = (sides.x.add(row * sides.ldx), sides.w.add(col * sides.ldw));
        let mut sums = [[_mm512_setzero_ps(); C]; R];
        let (together, turns) = order::<R, C>();
        // Rows that are read together are followed by as many.
        let next = w.wrapping_add((SIDE + share.start) * sides.ldw);
        for turn in 0..turns {
            let mut step = |p: usize, mask: __mmask32| {
                if R > 1 {
                    fetch(next.wrapping_add(p), sides.ldw, share.len());
                }
                let mut right = [_mm512_setzero_si512(); C];
                for (j, vector) in right.iter_mut().enumerate().take(together) {
                    let at = w.add((turn + j) * sides.ldw + p);
                    if R == 1 {
                        _mm_prefetch::<_MM_HINT_T1>(at.cast::<i8>().wrapping_add(AHEAD));
                    }
                    *vector = _mm512_maskz_loadu_epi16(mask, at.cast());
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let left = _mm512_maskz_loadu_epi16(mask, x.add(i * sides.ldx + p).cast());
                    for (sum, vector) in sums[turn..turn + together].iter_mut().zip(&right) {
                        let (a, b) =
                            (transmute::<__m512i, __m512bh>(left), transmute::<__m512i, __m512bh>(*vector));
                        *sum = _mm512_dpbf16_ps(*sum, a, b);
                    }
                }
            };
            let whole = sides.k / 32 * 32;
            for p in (0..whole).step_by(32) {
                step(p, !0);
            }
            if whole < sides.k {
                step(whole, (1 << (sides.k - whole)) - 1);
            }
        }
        store_totals(&sums, sides.c.add(row * sides.ldc + col), sides.ldc);
    }
}

/// The sums over the lanes of each vector, in the same order for any number of them: neighbours come together first,
/// then the quarters. `C` is at most 4.
///
/// # Safety
/// `to` has R rows of C values, `ld` apart, and the processor has the features.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn store_totals<const R: usize, const C: usize>(sums: &[[__m512; C]; R], to: *mut f32, ld: usize) {
    let at = |i: usize, j: usize| if i < R && j < C { sums[i][j] } else { _mm512_setzero_ps() };
    // Of each row: the four sums of the quarters.
    let row = |i: usize| {
        let pair = |a: __m512, b: __m512| _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let (x, y) = (_mm512_castps_pd(pair(at(i, 0), at(i, 1))), _mm512_castps_pd(pair(at(i, 2), at(i, 3))));
        let (low, high) = (_mm512_unpacklo_pd(x, y), _mm512_unpackhi_pd(x, y));
        _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high))
    };
    let half = |a: __m512, b: __m512| {
        _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b))
    };
    let all = half(half(row(0), row(1)), half(row(2), row(3)));
    let mask = ((1u32 << C) - 1) as __mmask8;
    // SAFETY: the caller's rows of C products.
    unsafe {
        for i in 0..R {
            let quarter = match i {
                0 => _mm512_extractf32x4_ps::<0>(all),
                1 => _mm512_extractf32x4_ps::<1>(all),
                2 => _mm512_extractf32x4_ps::<2>(all),
                _ => _mm512_extractf32x4_ps::<3>(all),
            };
            _mm_mask_storeu_ps(to.add(i * ld), mask, quarter);
        }
    }
}

/// The values under the mask as f32.
///
/// # Safety
/// Those values are there, and the processor has the features.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub unsafe fn load<T: Element>(at: *const T, mask: __mmask16) -> __m512 {
    // SAFETY: the caller's values; what is not under the mask is not touched.
    unsafe {
        if size_of::<T>() == 4 {
            _mm512_maskz_loadu_ps(mask, at.cast())
        } else if T::IS_BF16 {
            let bits = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, at.cast()));
            _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
        } else {
            _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, at.cast()))
        }
    }
}

/// The products of R rows of x, from `row` on, with C rows of w, from `col` on.
///
/// # Safety
/// The sides hold the rows and the room for the products, and the processor has the features.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn tile_512<T: Element, const R: usize, const C: usize>(
    sides: &Sides<T>,
    row: usize,
    col: usize,
    share: Range<usize>,
) {
    // SAFETY: whole vectors below k, and the rest under a mask; what is fetched beyond the rows is not read.
    unsafe {
        let (x, w) = (sides.x.add(row * sides.ldx), sides.w.add(col * sides.ldw));
        let mut sums = [[_mm512_setzero_ps(); C]; R];
        let (together, turns) = order::<R, C>();
        // Rows that are read together are followed by as many.
        let next = w.wrapping_add((SIDE + share.start) * sides.ldw);
        for turn in 0..turns {
            let mut step = |p: usize, mask: __mmask16| {
                if R > 1 {
                    fetch(next.wrapping_add(p), sides.ldw, share.len());
                }
                let mut right = [_mm512_setzero_ps(); C];
                for (j, vector) in right.iter_mut().enumerate().take(together) {
                    let at = w.add((turn + j) * sides.ldw + p);
                    if R == 1 {
                        _mm_prefetch::<_MM_HINT_T1>(at.cast::<i8>().wrapping_add(AHEAD));
                    }
                    *vector = load(at, mask);
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let left = load(x.add(i * sides.ldx + p), mask);
                    for (sum, vector) in sums[turn..turn + together].iter_mut().zip(&right) {
                        *sum = _mm512_fmadd_ps(left, *vector, *sum);
                    }
                }
            };
            let whole = sides.k / 16 * 16;
            for p in (0..whole).step_by(16) {
                step(p, !0);
            }
            if whole < sides.k {
                step(whole, (1 << (sides.k - whole)) - 1);
            }
        }
        store_totals(&sums, sides.c.add(row * sides.ldc + col), sides.ldc);
    }
}
