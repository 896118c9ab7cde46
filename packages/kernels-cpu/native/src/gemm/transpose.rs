//! Transposition while packing: square blocks of packed elements (4 bytes each) go through the registers.
//!
//! Element (i, p) of the source has k-index p. Neighbours in memory are either those along k (a weight packed as B) or
//! those along i (a transposed A); packed memory has them the other way round.

use crate::element::Element;
use std::arch::x86_64::*;

/// Values of k and rows of an operand, from its element (0, 0) on.
#[derive(Clone, Copy)]
pub struct Source<T> {
    pub at: *const T,
    /// Elements from one stored row to the next.
    pub ld: usize,
    pub rows: usize,
    pub k: usize,
}

/// Where packed elements go: unit u of row i to `at[u · ld + i]` when the source runs along k, to `at[i · ld + u]` when
/// it runs along i.
#[derive(Clone, Copy)]
pub struct Target {
    pub at: *mut u32,
    pub ld: usize,
    /// Units of k to write; those beyond the source are zeros.
    pub units: usize,
}

/// Rows `0..rows` of `source`, whose neighbours lie along k. Rows are padded with zeros to a multiple of 16.
///
/// # Safety
/// The source holds the elements and the target the packed units; the processor has the features.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub unsafe fn along_k_512<T: Element, const PAIR: bool>(target: Target, source: Source<T>) {
    let unit = if PAIR { 2 } else { 1 };
    for row in (0..source.rows).step_by(16) {
        let rows = (source.rows - row).min(16);
        for u in (0..target.units).step_by(16) {
            let mut block = [_mm512_setzero_si512(); 16];
            let valid = source.k.saturating_sub(u * unit).min(16 * unit);
            // SAFETY: `valid` values of each of `rows` rows.
            unsafe {
                let at = source.at.add(row * source.ld + u * unit);
                for (r, vector) in block.iter_mut().enumerate().take(rows) {
                    let at = at.add(r * source.ld);
                    // The same place 16 rows on: what comes from memory is there when its turn comes.
                    _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(16 * source.ld).cast());
                    *vector = if PAIR {
                        _mm512_maskz_loadu_epi16(low_bits(valid) as __mmask32, at.cast())
                    } else {
                        load_f32::<T>(at, valid)
                    };
                }
                let block = transpose_16(block);
                let to = target.at.add(u * target.ld + row);
                for (c, vector) in block.iter().enumerate().take(target.units - u) {
                    _mm512_storeu_si512(to.add(c * target.ld).cast(), *vector);
                }
            }
        }
    }
}

/// Rows `0..rows` of `source`, whose neighbours lie along i. Units are padded with zeros to a multiple of 16.
///
/// # Safety
/// As for [`along_k_512`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub unsafe fn along_i_512<T: Element, const PAIR: bool>(target: Target, source: Source<T>) {
    let unit = if PAIR { 2 } else { 1 };
    for row in (0..source.rows).step_by(16) {
        let rows = (source.rows - row).min(16);
        for u in (0..target.units).step_by(16) {
            let mut block = [_mm512_setzero_si512(); 16];
            // SAFETY: `rows` values of each k that the source has.
            unsafe {
                for (r, vector) in block.iter_mut().enumerate() {
                    let p = (u + r) * unit;
                    if p >= source.k {
                        break;
                    }
                    let at = source.at.add(p * source.ld + row);
                    *vector = if PAIR {
                        let even = load_bf16::<T>(at, rows);
                        let odd = if p + 1 < source.k {
                            load_bf16::<T>(at.add(source.ld), rows)
                        } else {
                            _mm512_setzero_si512()
                        };
                        _mm512_or_si512(even, _mm512_slli_epi32::<16>(odd))
                    } else {
                        load_f32::<T>(at, rows)
                    };
                }
                let block = transpose_16(block);
                let to = target.at.add(row * target.ld + u);
                for (c, vector) in block.iter().enumerate().take(rows) {
                    _mm512_storeu_si512(to.add(c * target.ld).cast(), *vector);
                }
            }
        }
    }
}

/// `values` of each of `rows` rows at `at`, at most 16 packed elements of 16 rows; zeros for what is missing. 16 lines from
/// `ahead` on are asked for, which need not exist.
///
/// # Safety
/// The rows hold the values, and the processor has the features.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub unsafe fn load_block<T: Element, const PAIR: bool>(
    at: *const T,
    ld: usize,
    (rows, values): (usize, usize),
    ahead: *const T,
) -> [__m512i; 16] {
    let mut block = [_mm512_setzero_si512(); 16];
    for (r, vector) in block.iter_mut().enumerate() {
        let at = at.wrapping_add(r * ld);
        _mm_prefetch::<_MM_HINT_T1>(ahead.cast::<i8>().wrapping_add(64 * r));
        if r < rows {
            // SAFETY: the caller's values; what is not under the mask is not touched.
            *vector = unsafe {
                if PAIR {
                    _mm512_maskz_loadu_epi16(low_bits(values) as __mmask32, at.cast())
                } else {
                    load_f32::<T>(at, values)
                }
            };
        }
    }
    block
}

#[inline]
fn low_bits(n: usize) -> u64 {
    (1 << n) - 1
}

/// `n` values as f32 bits.
///
/// # Safety
/// They are there, and the processor has the features.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn load_f32<T: Element>(at: *const T, n: usize) -> __m512i {
    let mask = low_bits(n) as __mmask16;
    // SAFETY: the caller's values; what is not under the mask is not touched.
    unsafe {
        if size_of::<T>() == 4 {
            _mm512_maskz_loadu_epi32(mask, at.cast())
        } else if T::IS_BF16 {
            let bits = _mm256_maskz_loadu_epi16(mask, at.cast());
            _mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(bits))
        } else {
            _mm512_castps_si512(_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, at.cast())))
        }
    }
}

/// `n` values as bf16, each in the lower half of a lane.
///
/// # Safety
/// As for [`load_f32`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn load_bf16<T: Element>(at: *const T, n: usize) -> __m512i {
    if T::IS_BF16 {
        // SAFETY: the caller's values; what is not under the mask is not touched.
        let bits = unsafe { _mm256_maskz_loadu_epi16(low_bits(n) as __mmask16, at.cast()) };
        return _mm512_cvtepu16_epi32(bits);
    }
    // SAFETY: the caller's values.
    let bits = unsafe { load_f32::<T>(at, n) };
    let value = _mm512_castsi512_ps(bits);
    let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
    let rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(value, value);
    let quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x40_0000));
    _mm512_srli_epi32::<16>(_mm512_mask_mov_epi32(rounded, nan, quiet))
}

/// The 8 x 8 elements of 8 bytes turned.
///
/// # Safety
/// The processor has the features.
#[inline]
#[target_feature(enable = "avx512f")]
pub fn transpose_quads(rows: [__m512i; 8]) -> [__m512i; 8] {
    let [a, b, c, d, e, f, g, h] = rows;
    // Pairs of rows, then the quarters of four pairs.
    let pairs = |a, b| (_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    let quarters = |p: [__m512i; 4]| {
        let half = |a, b| (_mm512_shuffle_i64x2::<0x88>(a, b), _mm512_shuffle_i64x2::<0xdd>(a, b));
        let ((even, odd), (even_high, odd_high)) = (half(p[0], p[1]), half(p[2], p[3]));
        let (first, third) = half(even, even_high);
        let (second, fourth) = half(odd, odd_high);
        [first, second, third, fourth]
    };
    let [(ab, ab_odd), (cd, cd_odd), (ef, ef_odd), (gh, gh_odd)] =
        [pairs(a, b), pairs(c, d), pairs(e, f), pairs(g, h)];
    let [c0, c2, c4, c6] = quarters([ab, cd, ef, gh]);
    let [c1, c3, c5, c7] = quarters([ab_odd, cd_odd, ef_odd, gh_odd]);
    [c0, c1, c2, c3, c4, c5, c6, c7]
}

/// The 16 x 16 elements of 4 bytes turned.
///
/// # Safety
/// The processor has the features.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub fn transpose_16(x: [__m512i; 16]) -> [__m512i; 16] {
    let mut y = x;
    // Pairs of rows, then pairs of pairs, inside 128 bits.
    for i in 0..8 {
        y[2 * i] = _mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]);
        y[2 * i + 1] = _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]);
    }
    let mut z = y;
    for i in 0..4 {
        z[4 * i] = _mm512_unpacklo_epi64(y[4 * i], y[4 * i + 2]);
        z[4 * i + 1] = _mm512_unpackhi_epi64(y[4 * i], y[4 * i + 2]);
        z[4 * i + 2] = _mm512_unpacklo_epi64(y[4 * i + 1], y[4 * i + 3]);
        z[4 * i + 3] = _mm512_unpackhi_epi64(y[4 * i + 1], y[4 * i + 3]);
    }
    // z[4 b + c] holds column 4 q + c of rows 4 b .. 4 b + 4 in its quarter q.
    let mut w = z;
    for c in 0..4 {
        let low = _mm512_shuffle_i32x4::<0x88>(z[c], z[4 + c]);
        let high = _mm512_shuffle_i32x4::<0xdd>(z[c], z[4 + c]);
        let low_2 = _mm512_shuffle_i32x4::<0x88>(z[8 + c], z[12 + c]);
        let high_2 = _mm512_shuffle_i32x4::<0xdd>(z[8 + c], z[12 + c]);
        w[c] = _mm512_shuffle_i32x4::<0x88>(low, low_2);
        w[8 + c] = _mm512_shuffle_i32x4::<0xdd>(low, low_2);
        w[4 + c] = _mm512_shuffle_i32x4::<0x88>(high, high_2);
        w[12 + c] = _mm512_shuffle_i32x4::<0xdd>(high, high_2);
    }
    w
}

/// As [`along_k_512`], to f32 alone; rows are padded to a multiple of 8.
///
/// # Safety
/// As for [`along_k_512`].
#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn along_k_256<T: Element>(target: Target, source: Source<T>) {
    for row in (0..source.rows).step_by(8) {
        let rows = (source.rows - row).min(8);
        for u in (0..target.units).step_by(8) {
            let valid = source.k.saturating_sub(u).min(8);
            let mut block = [_mm256_setzero_ps(); 8];
            // SAFETY: `valid` values of each of `rows` rows.
            unsafe {
                let at = source.at.add(row * source.ld + u);
                for (r, vector) in block.iter_mut().enumerate().take(rows) {
                    *vector = load_8::<T>(at.add(r * source.ld), valid);
                }
                let block = transpose_8(block);
                let to = target.at.add(u * target.ld + row).cast::<f32>();
                for (c, vector) in block.iter().enumerate().take(target.units - u) {
                    _mm256_storeu_ps(to.add(c * target.ld), *vector);
                }
            }
        }
    }
}

/// As [`along_i_512`], to f32 alone; units are padded to a multiple of 8.
///
/// # Safety
/// As for [`along_k_512`].
#[target_feature(enable = "avx2,fma,f16c")]
pub unsafe fn along_i_256<T: Element>(target: Target, source: Source<T>) {
    for row in (0..source.rows).step_by(8) {
        let rows = (source.rows - row).min(8);
        for u in (0..target.units).step_by(8) {
            let mut block = [_mm256_setzero_ps(); 8];
            // SAFETY: `rows` values of each k that the source has.
            unsafe {
                for (r, vector) in block.iter_mut().enumerate().take(source.k.saturating_sub(u)) {
                    *vector = load_8::<T>(source.at.add((u + r) * source.ld + row), rows);
                }
                let block = transpose_8(block);
                let to = target.at.add(row * target.ld + u).cast::<f32>();
                for (c, vector) in block.iter().enumerate().take(rows) {
                    _mm256_storeu_ps(to.add(c * target.ld), *vector);
                }
            }
        }
    }
}

/// `n` values as f32, at most 8, then zeros.
///
/// # Safety
/// They are there, and the processor has the features.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn load_8<T: Element>(at: *const T, n: usize) -> __m256 {
    let mut buffer = [0u32; 8];
    let mut at = at;
    // SAFETY: the caller's values, or their copy in a buffer of eight.
    unsafe {
        if n < 8 {
            let whole = buffer.as_mut_ptr().cast::<T>();
            for i in 0..n {
                whole.add(i).write(at.add(i).read_unaligned());
            }
            at = whole;
        }
        if size_of::<T>() == 4 {
            _mm256_loadu_ps(at.cast())
        } else if T::IS_BF16 {
            let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(at.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
        } else {
            _mm256_cvtph_ps(_mm_loadu_si128(at.cast()))
        }
    }
}

/// The 8 x 8 elements of 4 bytes turned.
///
/// # Safety
/// The processor has the features.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub fn transpose_8(x: [__m256; 8]) -> [__m256; 8] {
    let mut y = x;
    for i in 0..4 {
        y[2 * i] = _mm256_unpacklo_ps(x[2 * i], x[2 * i + 1]);
        y[2 * i + 1] = _mm256_unpackhi_ps(x[2 * i], x[2 * i + 1]);
    }
    let mut z = y;
    for i in 0..2 {
        z[4 * i] = _mm256_shuffle_ps::<0x44>(y[4 * i], y[4 * i + 2]);
        z[4 * i + 1] = _mm256_shuffle_ps::<0xee>(y[4 * i], y[4 * i + 2]);
        z[4 * i + 2] = _mm256_shuffle_ps::<0x44>(y[4 * i + 1], y[4 * i + 3]);
        z[4 * i + 3] = _mm256_shuffle_ps::<0xee>(y[4 * i + 1], y[4 * i + 3]);
    }
    let mut w = z;
    for c in 0..4 {
        w[c] = _mm256_permute2f128_ps::<0x20>(z[c], z[4 + c]);
        w[4 + c] = _mm256_permute2f128_ps::<0x31>(z[c], z[4 + c]);
    }
    w
}
