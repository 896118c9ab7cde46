//! AVX512_VNNI: `vpdpbusd` adds four products of unsigned with signed bytes to a whole number of 32 bits, without saturation; tiles of up to
//! 7 x 32.

use super::{Micro8, kernel};
use crate::gemm::micro::tiles;
use std::arch::x86_64::*;

const WIDTH: usize = 16;
const VALUES: usize = 4;
type Codes = __m512i;
type Sums = __m512i;

pub static MICRO: Micro8 = Micro8 {
    name: "avx512vnni",
    values: VALUES,
    unsigned: true,
    mr: 7,
    nr: 2 * WIDTH,
    lane: WIDTH,
    wide: tiles!(tile, 2, 1 2 3 4 5 6 7),
    narrow: tiles!(tile, 1, 1 2 3 4 5 6 7),
};

/// # Safety
/// The processor has the features.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn start_at(value: i32) -> Sums {
    _mm512_set1_epi32(value)
}

/// # Safety
/// A vector lies there.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn load(at: *const u8) -> Codes {
    // SAFETY: a vector of the panel.
    unsafe { _mm512_loadu_si512(at.cast()) }
}

/// # Safety
/// A packed value lies there.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn everywhere(at: *const u8) -> Codes {
    // SAFETY: a packed value of the row.
    _mm512_set1_epi32(unsafe { at.cast::<i32>().read_unaligned() })
}

/// # Safety
/// The processor has the features.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn dot(sums: Sums, w: Codes, x: Codes) -> Sums {
    _mm512_dpbusd_epi32(sums, w, x)
}

/// # Safety
/// The processor has the features.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn zero() -> __m512 {
    _mm512_setzero_ps()
}

/// # Safety
/// The processor has the features.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn add_scaled(totals: __m512, sums: Sums, scale: f32) -> __m512 {
    _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), _mm512_set1_ps(scale), totals)
}

/// # Safety
/// Vectors of the tile, and of its factors where they are not null, lie there.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
unsafe fn store(to: *mut f32, totals: __m512, factors: *const f32, accumulate: bool) {
    // SAFETY: a vector of the tile, and of its factors.
    unsafe {
        let mut totals = if accumulate { _mm512_add_ps(_mm512_loadu_ps(to), totals) } else { totals };
        if !factors.is_null() {
            totals = _mm512_mul_ps(totals, _mm512_loadu_ps(factors));
        }
        _mm512_storeu_ps(to, totals);
    }
}

kernel!(#[target_feature(enable = "avx512f,avx512vnni")]);
