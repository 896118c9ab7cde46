//! bf16 products of which one side has some rows, as when several sequences are decoded, with AVX512_BF16. Those rows lie
//! in the lanes of registers, so that no lanes are added up; the large side is read once, from wherever it lies, a few of its
//! rows at a time while the next ones are on their way.
//!
//! Each element is summed along k in one order, whatever the cut among threads.

use super::blocked;
use super::micro::avx512bf16::MICRO;
use super::operand::Operand;
use super::pack;
use super::store::{self, Output};
use super::transpose::{transpose_16, transpose_quads};
use crate::dtype::FloatDType;
use crate::isa::Isa;
use crate::pool::{Pool, scratch};
use std::arch::x86_64::*;
use std::mem::transmute;
use std::ops::Range;

/// Least rows of the small side: as many as [`super::dot`] takes at a time are multiplied while memory is waited for.
const LEAST: usize = 5;
/// Rows of the large side that are read together. Rows a power of two apart share a set of the first-level cache, which
/// holds this many lines.
const TOGETHER: usize = 8;
/// Rows of the large side whose products are kept at a time.
const STRIP: usize = 64;
/// Values in a line of a cache.
const LINE: usize = 32;

/// Whether [`multiply`] takes products of `rows` where each is summed in order.
pub fn takes_in_order(isa: Isa, dtype: FloatDType, rows: usize) -> bool {
    isa == Isa::Avx512Bf16 && dtype == FloatDType::Bf16 && (LEAST..=32).contains(&rows)
}

/// Whether [`multiply`] takes products of `rows` rows on one side.
pub fn takes(isa: Isa, dtype: FloatDType, rows: usize) -> bool {
    // Two registers of rows, but for AMX, to which the second is worth the packing.
    let most = if isa == Isa::Amx { 16 } else { 32 };
    isa >= Isa::Avx512Bf16 && dtype == FloatDType::Bf16 && (LEAST..=most).contains(&rows)
}

/// The products of `few` rows with `many` rows of length `k`, to `out`, whose columns are the large side's when `across`.
/// `in_order`: each element is summed one pair after the other, in the blocks of [`blocked`].
///
/// # Safety
/// Both operands hold the rows, the large one contiguous along k, and `out` the products; [`takes`] said so.
#[expect(clippy::too_many_arguments, reason = "a product, and how it lies and is summed")]
pub unsafe fn multiply(
    pool: &Pool,
    isa: Isa,
    (small, few): (Operand, usize),
    (large, many): (Operand, usize),
    k: usize,
    out: &Output,
    across: bool,
    in_order: bool,
) {
    // Up to 16 rows, two pairs of each stand beside each other: a value that is spread over a register then serves as many
    // products as it does with 32 rows.
    let quads = few <= 16 && !in_order;
    let vectors = if few <= if quads { 8 } else { 16 } { 1 } else { 2 };
    let depth = if in_order { blocked::depth(&MICRO, k) } else { usize::MAX };
    pool.ranges(many, LINE, |range| {
        // Packed for each range again: it costs less than to wait for one thread, and then to fetch what that packed.
        let mut lanes = scratch::<u8>(MICRO.pad_n(few) * MICRO.column_bytes(k.next_multiple_of(4)));
        // SAFETY: the whole of the small side, and room for it padded.
        unsafe {
            if quads {
                pack_quads(lanes.as_mut_ptr().cast(), small, few, k, vectors);
            } else {
                pack::panels(isa, &MICRO, lanes.as_mut_ptr(), small, 0..few, 0..k);
            }
        }
        let ldc = if quads { 16 } else { 16 * vectors };
        let mut c = scratch::<f32>(STRIP * ldc);
        let mut turned = scratch::<f32>(if across { STRIP * ldc } else { 0 });
        for first in range.clone().step_by(STRIP) {
            let strip = first..(first + STRIP).min(range.end);
            // SAFETY: rows of the large side, all of the small one; the processor has the instructions; ranges own
            // disjoint parts of y.
            unsafe {
                let (to, x) = (c.as_mut_ptr(), lanes.as_ptr().cast());
                match (quads, vectors) {
                    (true, 1) => products::<2, 1>(to, large, strip.clone(), x, k, depth),
                    (true, _) => products::<2, 2>(to, large, strip.clone(), x, k, depth),
                    (false, 1) => products::<1, 1>(to, large, strip.clone(), x, k, depth),
                    _ => products::<1, 2>(to, large, strip.clone(), x, k, depth),
                }
                if across {
                    turn(turned.as_mut_ptr(), c.as_ptr(), ldc, strip.len());
                    store::store(isa, out, turned.as_ptr(), STRIP, 0..few, strip);
                } else {
                    store::store(isa, out, c.as_ptr(), ldc, strip, 0..few);
                }
            }
        }
    });
}

/// Up to 8 · `vectors` rows as [k / 4][vectors][8 rows of 4 values], with zeros for what is missing.
///
/// # Safety
/// The operand holds the rows, `to` has room for them padded, and the processor has the features.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn pack_quads(to: *mut [u64; 8], x: Operand, rows: usize, k: usize, vectors: usize) {
    for v in 0..vectors {
        let rows = (rows - 8 * v).min(8);
        // SAFETY: values of the operand: those of a row under the mask, or a few at a time.
        unsafe {
            let at = x.element(8 * v, 0).cast::<u16>();
            let to = to.add(v);
            if x.transposed {
                let mask = ((1u32 << rows) - 1) as __mmask8;
                for (group, p) in (0..k).step_by(4).enumerate() {
                    let values = |i: usize| {
                        let mask = if p + i < k { mask } else { 0 };
                        _mm_maskz_loadu_epi16(mask, at.wrapping_add((p + i) * x.ld).cast())
                    };
                    let [a, b, c, d] = std::array::from_fn(values);
                    let (low, low_next) = (_mm_unpacklo_epi16(a, b), _mm_unpacklo_epi16(c, d));
                    let (high, high_next) = (_mm_unpackhi_epi16(a, b), _mm_unpackhi_epi16(c, d));
                    let to = to.add(group * vectors).cast::<__m128i>();
                    _mm_storeu_si128(to, _mm_unpacklo_epi32(low, low_next));
                    _mm_storeu_si128(to.add(1), _mm_unpackhi_epi32(low, low_next));
                    _mm_storeu_si128(to.add(2), _mm_unpacklo_epi32(high, high_next));
                    _mm_storeu_si128(to.add(3), _mm_unpackhi_epi32(high, high_next));
                }
                continue;
            }
            for p in (0..k).step_by(LINE) {
                let mask = if k - p < LINE { (1 << (k - p)) - 1 } else { !0 };
                let mut block = [_mm512_setzero_si512(); 8];
                for (row, vector) in block.iter_mut().enumerate().take(rows) {
                    *vector = _mm512_maskz_loadu_epi16(mask, at.add(row * x.ld + p).cast());
                }
                let quads = (k - p).div_ceil(4);
                for (group, vector) in transpose_quads(block).into_iter().enumerate().take(quads) {
                    _mm512_storeu_si512(to.add((p / 4 + group) * vectors).cast(), vector);
                }
            }
        }
    }
}

/// `n` values, at most 3, then zeros.
///
/// # Safety
/// They are there.
#[inline]
unsafe fn some_values(at: *const u16, n: usize) -> u64 {
    // SAFETY: the caller's values.
    (0..n).fold(0, |bits, i| bits | u64::from(unsafe { at.add(i).read_unaligned() }) << (16 * i))
}

/// Products of a row of the large side: those of two vectors of quads stand beside each other.
const fn ldc<const PAIRS: usize, const VECTORS: usize>() -> usize {
    if PAIRS == 2 { 16 } else { 16 * VECTORS }
}

/// c [rows, ldc] = the products of `rows` of `w` with the rows in the lanes of `x`
/// [k / (2 · PAIRS)][VECTORS][lanes of PAIRS pairs of values]; `depth` values are summed before they are added to the rest.
///
/// # Safety
/// w holds the rows of k values, x as many values padded, and c the products; the processor has the features.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn products<const PAIRS: usize, const VECTORS: usize>(
    c: *mut f32,
    w: Operand,
    rows: Range<usize>,
    x: *const i32,
    k: usize,
    depth: usize,
) {
    let mut row = rows.start;
    while row < rows.end {
        // SAFETY: rows of w and of c.
        unsafe {
            let c = c.add((row - rows.start) * ldc::<PAIRS, VECTORS>());
            let count = if rows.end - row >= TOGETHER { TOGETHER } else { 1 };
            for from in (0..k.max(1)).step_by(depth) {
                let at = w.element(row, from).cast();
                let (x, k) = (x.add(from / (2 * PAIRS) * VECTORS * 16), depth.min(k - from));
                if count == TOGETHER {
                    tile::<PAIRS, VECTORS, TOGETHER>(c, at, w.ld, x, k, from > 0);
                } else {
                    tile::<PAIRS, VECTORS, 1>(c, at, w.ld, x, k, from > 0);
                }
            }
            row += count;
        }
    }
}

/// [`products`] of COUNT rows, of one block; added to `c` where there were others, which there are of single pairs alone.
///
/// # Safety
/// As for [`products`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn tile<const PAIRS: usize, const VECTORS: usize, const COUNT: usize>(
    c: *mut f32,
    w: *const u16,
    ldw: usize,
    x: *const i32,
    k: usize,
    accumulate: bool,
) {
    let mut sums = [[_mm512_setzero_ps(); VECTORS]; COUNT];
    let unit = 2 * PAIRS;
    // SAFETY: the caller's rows; what is fetched beyond them is not read.
    unsafe {
        let mut add = |p: usize, values: [__m512i; COUNT]| {
            for v in 0..VECTORS {
                let lanes = _mm512_loadu_si512(x.add((p / unit * VECTORS + v) * 16).cast());
                for (sums, values) in sums.iter_mut().zip(values) {
                    let (a, b) =
                        (transmute::<__m512i, __m512bh>(lanes), transmute::<__m512i, __m512bh>(values));
                    sums[v] = _mm512_dpbf16_ps(sums[v], a, b);
                }
            }
        };
        let everywhere = |p: usize| {
            let mut values = [_mm512_setzero_si512(); COUNT];
            for (j, values) in values.iter_mut().enumerate() {
                let at = w.add(j * ldw + p);
                *values = if PAIRS == 1 {
                    _mm512_set1_epi32(at.cast::<i32>().read_unaligned())
                } else {
                    _mm512_set1_epi64(at.cast::<i64>().read_unaligned())
                };
            }
            values
        };
        let next = w.wrapping_add(COUNT * ldw);
        let (lines, whole) = (k / LINE * LINE, k / unit * unit);
        for line in (0..lines).step_by(LINE) {
            // The rows that come after these, on their way while these are multiplied.
            for j in 0..COUNT {
                _mm_prefetch::<_MM_HINT_T1>(next.wrapping_add(j * ldw + line).cast());
            }
            for p in (line..line + LINE).step_by(unit) {
                add(p, everywhere(p));
            }
        }
        for p in (lines..whole).step_by(unit) {
            add(p, everywhere(p));
        }
        if whole < k {
            let mut values = [_mm512_setzero_si512(); COUNT];
            for (j, values) in values.iter_mut().enumerate() {
                let bits = some_values(w.add(j * ldw + whole), k - whole);
                *values = if PAIRS == 1 {
                    _mm512_set1_epi32(bits as i32)
                } else {
                    _mm512_set1_epi64(bits.cast_signed())
                };
            }
            add(whole, values);
        }
        for (j, sums) in sums.iter().enumerate() {
            for (v, sum) in sums.iter().enumerate() {
                let c = c.add(j * ldc::<PAIRS, VECTORS>());
                if PAIRS == 1 && accumulate {
                    _mm512_storeu_ps(c.add(16 * v), _mm512_add_ps(_mm512_loadu_ps(c.add(16 * v)), *sum));
                } else if PAIRS == 1 {
                    _mm512_storeu_ps(c.add(16 * v), *sum);
                } else {
                    // Both pairs of a row stand beside each other.
                    let other = _mm512_permute_ps::<0b10_11_00_01>(*sum);
                    let sum = _mm512_maskz_compress_ps(0x5555, _mm512_add_ps(*sum, other));
                    _mm256_storeu_ps(c.add(8 * v), _mm512_castps512_ps256(sum));
                }
            }
        }
    }
}

/// to [cols, STRIP] = x [rows, cols]^T, both in blocks of 16 x 16.
///
/// # Safety
/// Both have room for STRIP rows of x, of which `rows` are wanted; the processor has the features.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn turn(to: *mut f32, x: *const f32, cols: usize, rows: usize) {
    for row in (0..rows).step_by(16) {
        for col in (0..cols).step_by(16) {
            let mut block = [_mm512_setzero_si512(); 16];
            // SAFETY: both hold STRIP rows of x, a multiple of 16.
            unsafe {
                for (r, vector) in block.iter_mut().enumerate() {
                    *vector = _mm512_loadu_si512(x.add((row + r) * cols + col).cast());
                }
                for (r, vector) in transpose_16(block).iter().enumerate() {
                    _mm512_storeu_si512(to.add((col + r) * STRIP + row).cast(), *vector);
                }
            }
        }
    }
}
