//! NEON with the dot products of Armv8.2: `sdot` adds four products of signed bytes to a whole number of 32 bits; tiles of up to 6 x 8.

use super::{Micro8, kernel};
use crate::gemm::micro::tiles;
use std::arch::aarch64::*;
use std::arch::asm;

const WIDTH: usize = 4;
const VALUES: usize = 4;
type Codes = int8x16_t;
type Sums = int32x4_t;

pub static MICRO: Micro8 = Micro8 {
    name: "dotprod",
    values: VALUES,
    unsigned: false,
    mr: 6,
    nr: 2 * WIDTH,
    lane: WIDTH,
    wide: tiles!(tile, 2, 1 2 3 4 5 6),
    narrow: tiles!(tile, 1, 1 2 3 4 5 6),
};

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn start_at(value: i32) -> Sums {
    vdupq_n_s32(value)
}

/// # Safety
/// A vector lies there.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn load(at: *const u8) -> Codes {
    // SAFETY: a vector of the panel.
    unsafe { vld1q_s8(at.cast()) }
}

/// # Safety
/// A packed value lies there.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn everywhere(at: *const u8) -> Codes {
    // SAFETY: a packed value of the row.
    vreinterpretq_s8_s32(vdupq_n_s32(unsafe { at.cast::<i32>().read_unaligned() }))
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot(sums: Sums, w: Codes, x: Codes) -> Sums {
    let mut sums = sums;
    // SAFETY: registers alone; the features are there. The intrinsic of it is not stable yet.
    unsafe {
        asm!(
            "sdot {sums:v}.4s, {w:v}.16b, {x:v}.16b",
            sums = inout(vreg) sums,
            w = in(vreg) w,
            x = in(vreg) x,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sums
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn zero() -> float32x4_t {
    vdupq_n_f32(0.0)
}

#[inline]
#[target_feature(enable = "neon,dotprod")]
fn add_scaled(totals: float32x4_t, sums: Sums, scale: f32) -> float32x4_t {
    vfmaq_n_f32(totals, vcvtq_f32_s32(sums), scale)
}

/// # Safety
/// Vectors of the tile, and of its factors where they are not null, lie there.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn store(to: *mut f32, totals: float32x4_t, factors: *const f32, accumulate: bool) {
    // SAFETY: a vector of the tile, and of its factors.
    unsafe {
        let mut totals = if accumulate { vaddq_f32(vld1q_f32(to), totals) } else { totals };
        if !factors.is_null() {
            totals = vmulq_f32(totals, vld1q_f32(factors));
        }
        vst1q_f32(to, totals);
    }
}

kernel!(#[target_feature(enable = "neon,dotprod")]);
