//! AVX-VNNI: `vpdpbusd` on registers of 32 bytes; tiles of up to 6 x 16 in 12 of the 16 registers.

use super::avx2::{add_scaled, everywhere, load, start_at, store, zero};
use super::{Micro8, kernel};
use crate::gemm::micro::tiles;
use std::arch::x86_64::*;

const WIDTH: usize = 8;
const VALUES: usize = 4;
type Codes = __m256i;
type Sums = __m256i;

pub static MICRO: Micro8 = Micro8 {
    name: "avxvnni",
    values: VALUES,
    unsigned: true,
    mr: 6,
    nr: 2 * WIDTH,
    lane: WIDTH,
    wide: tiles!(tile, 2, 1 2 3 4 5 6),
    narrow: tiles!(tile, 1, 1 2 3 4 5 6),
};

/// # Safety
/// The processor has the features.
#[inline]
#[target_feature(enable = "avx2,fma,avxvnni")]
fn dot(sums: Sums, w: Codes, x: Codes) -> Sums {
    _mm256_dpbusd_avx_epi32(sums, w, x)
}

kernel!(#[target_feature(enable = "avx2,fma,avxvnni")]);
