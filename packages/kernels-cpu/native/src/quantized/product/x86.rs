//! The strips of AVX2, AVX-512 and its dot products of bf16.

use super::*;
use crate::element::f32_to_bf16;
use crate::quantized::levels::NF4;
use crate::quantized::{Int8, Nf4};
use std::arch::x86_64::*;
use std::mem::transmute;

/// Calls `$tile` for one to eight rows of x at a time: within the rows of the side, for a row of w and its column of the side.
macro_rules! each_row {
    ($tile:ident, $side:expr, $w:expr, $rows:expr) => {
        for (at, r) in $rows.enumerate() {
            for i in (0..$side.m).step_by(8) {
                match ($side.m - i).min(8) {
                    1 => $tile::<1>($side, $w, r, at, i),
                    2 => $tile::<2>($side, $w, r, at, i),
                    3 => $tile::<3>($side, $w, r, at, i),
                    4 => $tile::<4>($side, $w, r, at, i),
                    5 => $tile::<5>($side, $w, r, at, i),
                    6 => $tile::<6>($side, $w, r, at, i),
                    7 => $tile::<7>($side, $w, r, at, i),
                    _ => $tile::<8>($side, $w, r, at, i),
                }
            }
        }
    };
}

/// # Safety
/// As for [`strip_of`], on a processor with the features; the side holds x as this way reads it.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub unsafe fn strip_512(side: Side<'_>, w: Nf4, rows: Range<usize>) {
    // SAFETY: the caller's rows, one after the other.
    unsafe { each_row!(tile_512, side, w, rows) }
}

/// # Safety
/// As for [`strip_of`], on a processor with the features; the side holds x as this way reads it.
#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn strip_avx2(side: Side<'_>, w: Nf4, rows: Range<usize>) {
    // SAFETY: the caller's rows, one after the other.
    unsafe { each_row!(tile_avx2, side, w, rows) }
}

/// # Safety
/// As for [`strip_of`], on a processor with the features; the side holds x as this way reads it.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
pub unsafe fn strip_bf16_blocks(side: Side<'_>, w: Nf4, rows: Range<usize>) {
    // SAFETY: the caller's rows, one after the other.
    unsafe { each_row!(tile_bf16_blocks, side, w, rows) }
}

/// # Safety
/// As for [`strip_of`], on a processor with the features; the side holds x as this way reads it.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
pub unsafe fn strip_bf16_bytes(side: Side<'_>, w: Int8, rows: Range<usize>) {
    // SAFETY: the caller's rows, one after the other.
    unsafe { each_row!(tile_bf16_bytes, side, w, rows) }
}

/// Twice the 16 levels in bf16: the fifth bit of an index is part of the other code.
static LEVELS: [u16; 32] = {
    let mut levels = [0; 32];
    let mut i = 0;
    while i < 32 {
        levels[i] = f32_to_bf16(NF4[i % 16]);
        i += 1;
    }
    levels
};

/// Row r of w times R rows of x from row i on. A byte holds an even and an odd element: two look-ups of 32 words.
///
/// # Safety
/// w has the row, the side rows i to i + R of x and, in column `at`, room for their products; the processor has the features.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn tile_bf16_blocks<const R: usize>(side: Side<'_>, w: Nf4, r: usize, at: usize, i: usize) {
    // SAFETY: k is a multiple of a block, so that the row of w is whole blocks, each of them as many elements of a row of x.
    unsafe {
        let k = side.k;
        let x = side.bits.as_ptr().add(i * k);
        let levels = _mm512_loadu_si512(LEVELS.as_ptr().cast());
        let mut sums = [_mm512_setzero_ps(); R];
        let first = r * k / BLOCK;
        for b in 0..k / BLOCK {
            let scale = _mm512_set1_ps(w.scale(first + b));
            let codes = w.codes.of::<u8>().add((first + b) * (BLOCK / 2));
            let words = _mm512_cvtepu8_epi16(_mm256_loadu_si256(codes.cast()));
            let even = _mm512_permutexvar_epi16(_mm512_srli_epi16::<4>(words), levels);
            let odd = _mm512_permutexvar_epi16(words, levels);
            let (even, odd) = (transmute::<__m512i, __m512bh>(even), transmute::<__m512i, __m512bh>(odd));
            for (j, sum) in sums.iter_mut().enumerate() {
                let x = x.add(j * k + b * BLOCK);
                let first = transmute::<__m512i, __m512bh>(_mm512_loadu_si512(x.cast()));
                let second = transmute::<__m512i, __m512bh>(_mm512_loadu_si512(x.add(32).cast()));
                let part = _mm512_dpbf16_ps(_mm512_setzero_ps(), even, first);
                *sum = _mm512_fmadd_ps(_mm512_dpbf16_ps(part, odd, second), scale, *sum);
            }
        }
        for (j, sum) in sums.iter().enumerate() {
            side.c.add((i + j) * side.ldc + at).write(_mm512_reduce_add_ps(*sum));
        }
    }
}

/// The same with bytes, which bf16 holds exactly.
///
/// # Safety
/// w has the row, the side rows i to i + R of x and, in column `at`, room for their products; the processor has the features.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,f16c")]
unsafe fn tile_bf16_bytes<const R: usize>(side: Side<'_>, w: Int8, r: usize, at: usize, i: usize) {
    // SAFETY: whole vectors below k, and the rest under a mask; a row of x has k elements, the row of w k codes.
    unsafe {
        let k = side.k;
        let x = side.bits.as_ptr().add(i * k);
        let codes = w.codes.of::<i8>().add(r * k);
        let mut sums = [_mm512_setzero_ps(); R];
        let mut step = |p: usize, mask: __mmask32| {
            let bytes = _mm256_maskz_loadu_epi8(mask, codes.add(p));
            let low = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_castsi256_si128(bytes)));
            let high = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm256_extracti128_si256::<1>(bytes)));
            let values = _mm512_cvtne2ps_pbh(high, low);
            for (j, sum) in sums.iter_mut().enumerate() {
                let x = _mm512_maskz_loadu_epi16(mask, x.add(j * k + p).cast());
                *sum = _mm512_dpbf16_ps(*sum, values, transmute::<__m512i, __m512bh>(x));
            }
        };
        let whole = k / 32 * 32;
        for p in (0..whole).step_by(32) {
            step(p, !0);
        }
        if whole < k {
            step(whole, (1 << (k - whole)) - 1);
        }
        let scale = *w.scales.of::<f32>().add(r) * ONE_OVER_127;
        for (j, sum) in sums.iter().enumerate() {
            side.c.add((i + j) * side.ldc + at).write(_mm512_reduce_add_ps(*sum) * scale);
        }
    }
}

/// Row r of w times R rows of x from row i on.
///
/// # Safety
/// w has the row, the side rows i to i + R of x and, in column `at`, room for their products; the processor has the features.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
unsafe fn tile_512<const R: usize>(side: Side<'_>, w: Nf4, r: usize, at: usize, i: usize) {
    // SAFETY: as for the blocks in bf16.
    unsafe {
        let k = side.k;
        let x = side.x.as_ptr().add(i * k);
        let levels = _mm512_loadu_ps(NF4.as_ptr());
        let mut even_sums = [_mm512_setzero_ps(); R];
        let mut odd_sums = [_mm512_setzero_ps(); R];
        let first = r * k / BLOCK;
        for b in 0..k / BLOCK {
            let scale = _mm512_set1_ps(w.scale(first + b));
            let codes = w.codes.of::<u8>().add((first + b) * (BLOCK / 2));
            for half in 0..2 {
                let bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(codes.add(16 * half).cast()));
                let even = _mm512_permutexvar_ps(_mm512_srli_epi32::<4>(bytes), levels);
                let odd = _mm512_permutexvar_ps(bytes, levels);
                let (even, odd) = (_mm512_mul_ps(even, scale), _mm512_mul_ps(odd, scale));
                let x = x.add(b * BLOCK + 32 * half);
                for j in 0..R {
                    let x = x.add(j * k);
                    even_sums[j] = _mm512_fmadd_ps(even, _mm512_loadu_ps(x), even_sums[j]);
                    odd_sums[j] = _mm512_fmadd_ps(odd, _mm512_loadu_ps(x.add(16)), odd_sums[j]);
                }
            }
        }
        for j in 0..R {
            let sum = _mm512_reduce_add_ps(_mm512_add_ps(even_sums[j], odd_sums[j]));
            side.c.add((i + j) * side.ldc + at).write(sum);
        }
    }
}

/// The same in vectors of eight.
///
/// # Safety
/// w has the row, the side rows i to i + R of x and, in column `at`, room for their products; the processor has the features.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn tile_avx2<const R: usize>(side: Side<'_>, w: Nf4, r: usize, at: usize, i: usize) {
    // SAFETY: as for the blocks in bf16.
    unsafe {
        let k = side.k;
        let x = side.x.as_ptr().add(i * k);
        let (low, high) = (_mm256_loadu_ps(NF4.as_ptr()), _mm256_loadu_ps(NF4.as_ptr().add(8)));
        let mut sums = [_mm256_setzero_ps(); R];
        let first = r * k / BLOCK;
        for b in 0..k / BLOCK {
            let scale = _mm256_set1_ps(w.scale(first + b));
            let codes = w.codes.of::<u8>().add((first + b) * (BLOCK / 2));
            for quarter in 0..4 {
                let bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64(codes.add(8 * quarter).cast()));
                let even = decode::look_up(low, high, _mm256_srli_epi32::<4>(bytes));
                let odd = decode::look_up(low, high, bytes);
                let (even, odd) = (_mm256_mul_ps(even, scale), _mm256_mul_ps(odd, scale));
                let x = x.add(b * BLOCK + 16 * quarter);
                for (j, sum) in sums.iter_mut().enumerate() {
                    let x = x.add(j * k);
                    *sum = _mm256_fmadd_ps(even, _mm256_loadu_ps(x), *sum);
                    *sum = _mm256_fmadd_ps(odd, _mm256_loadu_ps(x.add(8)), *sum);
                }
            }
        }
        for (j, sum) in sums.iter().enumerate() {
            let half = _mm_add_ps(_mm256_castps256_ps128(*sum), _mm256_extractf128_ps::<1>(*sum));
            let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
            let sum = _mm_add_ss(pair, _mm_movehdup_ps(pair));
            side.c.add((i + j) * side.ldc + at).write(_mm_cvtss_f32(sum));
        }
    }
}
