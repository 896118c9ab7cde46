//! bf16 products with the rank of an adapter as depth, or as one side of the output, with AVX512_BF16. What belongs to the
//! rank stays in registers and the first-level cache; the other operand, or the output, goes by once.
//!
//! Each element is summed along k in one order, whatever the cut among threads.

use super::micro::avx512bf16::MICRO;
use super::operand::Operand;
use super::pack;
use super::store::{self, Output};
use super::{DOT_ROWS, GemmParams};
use crate::dtype::FloatDType;
use crate::element::{Bf16, Element};
use crate::isa::Isa;
use crate::pool::{Pool, scratch};
use std::arch::x86_64::*;
use std::mem::transmute;
use std::ops::Range;

/// Largest rank.
const RANK: usize = 16;
/// Rows of the narrow side in registers at a time.
const SIDE: usize = 8;
/// Pairs of k that are summed before they are added to the rest. Meanwhile as many are fetched, row by row: memory gives lines
/// beside each other much faster than one of each row.
const DEPTH: usize = 32;

/// y (+)= alpha · a · op(b) of few k.
fn is_shallow(p: &GemmParams) -> bool {
    !p.trans_a && p.k >= 2 && p.k <= RANK && p.k.is_multiple_of(2) && p.out_dtype != FloatDType::F16
}

/// y (+)= alpha · a^T · b with few columns of one operand: the gradient of an adapter.
fn narrow(p: &GemmParams) -> bool {
    p.trans_a && !p.trans_b && p.k >= 2 && p.m.min(p.n) <= RANK && p.m.max(p.n) > RANK && p.m.min(p.n) > 0
}

/// Whether [`multiply`] takes the product.
pub fn takes(isa: Isa, p: &GemmParams, bias: *const u8) -> bool {
    isa >= Isa::Avx512Bf16
        && p.dtype == FloatDType::Bf16
        && bias.is_null()
        && (is_shallow(p) && p.m > DOT_ROWS && p.n > DOT_ROWS || narrow(p))
}

/// Whether [`multiply`] takes a product of few k whatever its rows: by a way that takes each row by itself.
pub fn takes_any_rows(isa: Isa, p: &GemmParams, bias: *const u8) -> bool {
    isa >= Isa::Avx512Bf16 && p.dtype == FloatDType::Bf16 && bias.is_null() && is_shallow(p)
}

/// # Safety
/// As for [`super::gemm`], and [`takes`] or [`takes_any_rows`] said so.
pub unsafe fn multiply(pool: &Pool, isa: Isa, y: *mut u8, a: *const u8, b: *const u8, p: &GemmParams) {
    let &GemmParams { m, n, k, .. } = p;
    if is_shallow(p) {
        let ld = if p.trans_b { k } else { n };
        let b = Operand { at: b, ld, transposed: !p.trans_b, dtype: p.dtype };
        let mut panels = scratch::<u8>(MICRO.pad_n(n) * MICRO.column_bytes(k));
        // SAFETY: the whole of b, and room for its panels.
        unsafe { pack::panels(isa, &MICRO, panels.as_mut_ptr(), b, 0..n, 0..k) };
        let a = Operand { at: a, ld: k, transposed: false, dtype: p.dtype };
        let panels = Operand { at: panels.as_ptr(), ld: n, transposed: false, dtype: p.dtype };
        let y = Output {
            at: y,
            ld: n,
            transposed: false,
            dtype: p.out_dtype,
            alpha: p.alpha,
            add: p.accumulate,
            bias: std::ptr::null(),
            bias_dtype: p.dtype,
        };
        pool.ranges(m, 16, |rows| {
            // SAFETY: rows of a and of y that no other range has; the processor has the instructions.
            unsafe {
                if p.out_dtype == FloatDType::Bf16 {
                    by_depth::<Bf16>(&y, a, panels, rows, k);
                } else {
                    by_depth::<f32>(&y, a, panels, rows, k);
                }
            }
        });
        return;
    }
    // The narrow operand with its neighbours of k in pairs: [groups of 8 columns, pairs of k, 8].
    let transposed = n < m;
    let (few, many) = (m.min(n), m.max(n));
    let (small, wide) = if transposed { (b, a) } else { (a, b) };
    let (pairs, groups) = (k.div_ceil(2), few.div_ceil(SIDE));
    let mut packed = scratch::<u32>(groups * pairs * SIDE);
    for (group, packed) in packed.chunks_exact_mut(pairs * SIDE).enumerate() {
        let columns = SIDE.min(few - group * SIDE);
        for (pair, packed) in packed.as_chunks_mut::<SIDE>().0.iter_mut().enumerate() {
            // SAFETY: values of the operand.
            unsafe {
                let even = small.cast::<u16>().add(2 * pair * few + group * SIDE);
                let odd = if 2 * pair + 1 < k { Some(even.add(few)) } else { None };
                *packed = match (columns, odd) {
                    (SIDE, Some(odd)) => in_pairs(even, odd),
                    _ => std::array::from_fn(|column| {
                        let value = |at: *const u16| u32::from(at.add(column).read_unaligned());
                        if column < columns { value(even) | odd.map_or(0, value) << 16 } else { 0 }
                    }),
                };
            }
        }
    }
    let out = Output {
        at: y,
        ld: n,
        transposed,
        dtype: p.out_dtype,
        alpha: p.alpha,
        add: p.accumulate,
        bias: std::ptr::null(),
        bias_dtype: p.dtype,
    };
    let wide = Operand { at: wide, ld: many, transposed: true, dtype: p.dtype };
    let packed = &*packed;
    pool.ranges(many, 32, |cols| {
        let ldc = cols.len().next_multiple_of(32);
        let mut c = scratch::<f32>(groups * SIDE * ldc);
        for (group, pairs) in packed.chunks_exact(pairs * SIDE).enumerate() {
            let c = c[group * SIDE * ldc..].as_mut_ptr();
            // SAFETY: columns of the operand, rows of c; the processor has the instructions.
            unsafe { by_side(c, ldc, pairs, wide, cols.clone(), k) };
        }
        // SAFETY: ranges own disjoint parts of y.
        unsafe { store::store(isa, &out, c.as_ptr(), ldc, 0..few, cols) };
    });
}

/// Pairs of one value from each of two rows.
///
/// # Safety
/// Both rows have SIDE values.
#[inline]
unsafe fn in_pairs(even: *const u16, odd: *const u16) -> [u32; SIDE] {
    // SAFETY: the caller's rows.
    let (even, odd) =
        unsafe { (even.cast::<[u16; SIDE]>().read_unaligned(), odd.cast::<[u16; SIDE]>().read_unaligned()) };
    std::array::from_fn(|column| u32::from(even[column]) | u32::from(odd[column]) << 16)
}

/// Some rows of y (+)= alpha · a · panels, of k at most 16.
///
/// # Safety
/// a holds the rows, `panels` the packed columns of y, and y the products, which no other thread touches; the processor has the
/// features.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn by_depth<Y: Element>(y: &Output, a: Operand, panels: Operand, rows: Range<usize>, k: usize) {
    let cols = panels.ld;
    let mut col = 0;
    while col < cols {
        let width = MICRO.panel(cols - col);
        // SAFETY: a panel of the operand.
        unsafe {
            let panel = panels.at.add(col * MICRO.column_bytes(k)).cast::<i32>();
            let rows = rows.clone();
            macro_rules! strip {
                ($($pairs:literal)*) => {
                    match (k / 2, width == MICRO.nr) {
                        $(($pairs, true) => strip::<Y, $pairs, 2>(y, a, panel, rows, col, cols),
                        ($pairs, false) => strip::<Y, $pairs, 1>(y, a, panel, rows, col, cols),)*
                        _ => unreachable!("shallow takes even k up to 16"),
                    }
                };
            }
            strip!(1 2 3 4 5 6 7 8);
        }
        col += width;
    }
}

/// The columns of one panel, which stays in registers.
///
/// # Safety
/// As for [`by_depth`]; the panel has PAIRS pairs of VECTORS · 16 columns.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn strip<Y: Element, const PAIRS: usize, const VECTORS: usize>(
    y: &Output,
    a: Operand,
    panel: *const i32,
    rows: Range<usize>,
    col: usize,
    cols: usize,
) {
    let alpha = _mm512_set1_ps(y.alpha);
    let mut right = [[_mm512_setzero_si512(); VECTORS]; PAIRS];
    let mut masks = [0 as __mmask16; VECTORS];
    // SAFETY: a packed panel, rows of a and, under the masks, of y.
    unsafe {
        for (p, right) in right.iter_mut().enumerate() {
            for (j, vector) in right.iter_mut().enumerate() {
                *vector = _mm512_loadu_si512(panel.add((p * VECTORS + j) * 16).cast());
            }
        }
        for (j, mask) in masks.iter_mut().enumerate() {
            let left = cols.saturating_sub(col + 16 * j);
            *mask = if left < 16 { (1 << left) - 1 } else { !0 };
        }
        for row in rows {
            let left = a.at.cast::<u16>().add(row * a.ld).cast::<i32>();
            let mut sums = [_mm512_setzero_ps(); VECTORS];
            for (p, right) in right.iter().enumerate() {
                let pair = transmute::<__m512i, __m512bh>(_mm512_set1_epi32(left.add(p).read_unaligned()));
                for (sum, vector) in sums.iter_mut().zip(right) {
                    *sum = _mm512_dpbf16_ps(*sum, pair, transmute::<__m512i, __m512bh>(*vector));
                }
            }
            let to = y.at.cast::<Y>().add(row * y.ld + col);
            for (j, (sum, mask)) in sums.iter().zip(masks).enumerate() {
                let to = to.wrapping_add(16 * j);
                let mut sum = _mm512_mul_ps(alpha, *sum);
                if y.add {
                    sum = _mm512_add_ps(sum, super::dot::load(to, mask));
                }
                if Y::IS_BF16 {
                    let rounded = transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(sum));
                    _mm256_mask_storeu_epi16(to.cast(), mask, rounded);
                } else {
                    _mm512_mask_storeu_ps(to.cast(), mask, sum);
                }
            }
        }
    }
}

/// c [8, cols] = the sums over k of `pairs` [k / 2, 8] times the columns of `wide` [k, ld].
///
/// # Safety
/// `wide` holds the columns, and c rows of `ldc` values, a multiple of 32; the processor has the features.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn by_side(c: *mut f32, ldc: usize, pairs: &[u32], wide: Operand, cols: Range<usize>, k: usize) {
    // Interleaving pairs goes by quarters of a register: columns 0-3, 8-11, … and 4-7, 12-15, …
    let first = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    let second = _mm512_add_epi32(first, _mm512_set1_epi32(8));
    let row_at = |row: usize| wide.at.cast::<u16>().wrapping_add(row * wide.ld + cols.start);
    let lines = cols.len().div_ceil(32);
    for line in 0..2 * DEPTH * lines {
        fetch(row_at(line / lines).wrapping_add(line % lines * 32));
    }
    for start in (0..pairs.len() / SIDE).step_by(DEPTH) {
        let end = (start + DEPTH).min(pairs.len() / SIDE);
        let (mut next, mut line) = (row_at(2 * end), 0);
        let mut fetch_next = || {
            fetch(next.wrapping_add(line * 32));
            line += 1;
            if line == lines {
                (next, line) = (next.wrapping_add(wide.ld), 0);
            }
        };
        for col in (0..cols.len()).step_by(32) {
            let left = cols.len() - col;
            let mask: __mmask32 = if left < 32 { (1 << left) - 1 } else { !0 };
            let mut sums = [[_mm512_setzero_ps(); 2]; SIDE];
            // SAFETY: columns of the operand under the mask; c has whole blocks of 32 columns.
            unsafe {
                for (i, pairs) in pairs[start * SIDE..end * SIDE].as_chunks::<SIDE>().0.iter().enumerate() {
                    fetch_next();
                    fetch_next();
                    let row = 2 * (start + i);
                    let from = row_at(row).wrapping_add(col);
                    let even = _mm512_maskz_loadu_epi16(mask, from.cast());
                    let odd_mask = if row + 1 < k { mask } else { 0 };
                    let odd = _mm512_maskz_loadu_epi16(odd_mask, from.wrapping_add(wide.ld).cast());
                    let low = transmute::<__m512i, __m512bh>(_mm512_unpacklo_epi16(even, odd));
                    let high = transmute::<__m512i, __m512bh>(_mm512_unpackhi_epi16(even, odd));
                    for (sums, pair) in sums.iter_mut().zip(pairs) {
                        let pair = transmute::<__m512i, __m512bh>(_mm512_set1_epi32(*pair as i32));
                        sums[0] = _mm512_dpbf16_ps(sums[0], pair, low);
                        sums[1] = _mm512_dpbf16_ps(sums[1], pair, high);
                    }
                }
                for (r, [low, high]) in sums.into_iter().enumerate() {
                    for (j, order) in [first, second].into_iter().enumerate() {
                        let to = c.add(r * ldc + col + 16 * j);
                        let mut sum = _mm512_permutex2var_ps(low, order, high);
                        if start > 0 {
                            sum = _mm512_add_ps(_mm512_loadu_ps(to), sum);
                        }
                        _mm512_storeu_ps(to, sum);
                    }
                }
            }
        }
    }
}

/// Asks for a line, which need not exist, for the second-level cache.
#[inline]
fn fetch(at: *const u16) {
    // SAFETY: a hint, which reads nothing.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(at.cast()) };
}
