//! AVX2: codes of 16 bits, as the sum of two products of bytes (`vpmaddubsw`) would saturate at 16; `vpmaddwd` gives the sum of two of
//! words in 32. Tiles of up to 6 x 16 in 12 of the 16 registers.

use super::{Micro8, kernel};
use crate::gemm::micro::tiles;
use std::arch::x86_64::*;

const WIDTH: usize = 8;
const VALUES: usize = 2;
type Codes = __m256i;
type Sums = __m256i;

pub static MICRO: Micro8 = Micro8 {
    name: "avx2",
    values: VALUES,
    unsigned: false,
    mr: 6,
    nr: 2 * WIDTH,
    lane: WIDTH,
    wide: tiles!(tile, 2, 1 2 3 4 5 6),
    narrow: tiles!(tile, 1, 1 2 3 4 5 6),
};

/// # Safety
/// The processor has the features.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn start_at(value: i32) -> Sums {
    _mm256_set1_epi32(value)
}

/// # Safety
/// A vector lies there.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub unsafe fn load(at: *const u8) -> Codes {
    // SAFETY: the caller's.
    unsafe { _mm256_loadu_si256(at.cast()) }
}

/// # Safety
/// A packed value lies there.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub unsafe fn everywhere(at: *const u8) -> Codes {
    // SAFETY: the caller's.
    _mm256_set1_epi32(unsafe { at.cast::<i32>().read_unaligned() })
}

/// # Safety
/// The processor has the features.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn dot(sums: Sums, w: Codes, x: Codes) -> Sums {
    _mm256_add_epi32(sums, _mm256_madd_epi16(w, x))
}

/// # Safety
/// The processor has the features.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn zero() -> __m256 {
    _mm256_setzero_ps()
}

/// # Safety
/// The processor has the features.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub fn add_scaled(totals: __m256, sums: Sums, scale: f32) -> __m256 {
    _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums), _mm256_set1_ps(scale), totals)
}

/// # Safety
/// Vectors of the tile, and of its factors where they are not null, lie there.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub unsafe fn store(to: *mut f32, totals: __m256, factors: *const f32, accumulate: bool) {
    // SAFETY: the caller's.
    unsafe {
        let mut totals = if accumulate { _mm256_add_ps(_mm256_loadu_ps(to), totals) } else { totals };
        if !factors.is_null() {
            totals = _mm256_mul_ps(totals, _mm256_loadu_ps(factors));
        }
        _mm256_storeu_ps(to, totals);
    }
}

kernel!(#[target_feature(enable = "avx2,fma")]);
