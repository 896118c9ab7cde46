//! Arrays of 16-bit codes, which the compiler turns into vectors of the target's baseline; tiles of up to 4 x 8.

use super::{Micro8, kernel};
use crate::gemm::micro::tiles;
use crate::isa::mul_add;

const WIDTH: usize = 4;
const VALUES: usize = 2;
type Codes = [[i16; 2]; WIDTH];
type Sums = [i32; WIDTH];

pub static MICRO: Micro8 = Micro8 {
    name: "portable",
    values: VALUES,
    unsigned: false,
    mr: 4,
    nr: 2 * WIDTH,
    lane: WIDTH,
    wide: tiles!(tile, 2, 1 2 3 4),
    narrow: tiles!(tile, 1, 1 2 3 4),
};

#[inline(always)]
fn start_at(value: i32) -> Sums {
    [value; WIDTH]
}

/// # Safety
/// A vector lies there.
#[inline(always)]
unsafe fn load(at: *const u8) -> Codes {
    // SAFETY: a vector of the panel.
    unsafe { at.cast::<Codes>().read_unaligned() }
}

/// # Safety
/// A packed value lies there.
#[inline(always)]
unsafe fn everywhere(at: *const u8) -> Codes {
    // SAFETY: a packed value of the row.
    [unsafe { at.cast::<[i16; 2]>().read_unaligned() }; WIDTH]
}

#[inline(always)]
fn dot(mut sums: Sums, w: Codes, x: Codes) -> Sums {
    for i in 0..WIDTH {
        sums[i] += i32::from(w[i][0]) * i32::from(x[i][0]) + i32::from(w[i][1]) * i32::from(x[i][1]);
    }
    sums
}

#[inline(always)]
fn zero() -> [f32; WIDTH] {
    [0.0; WIDTH]
}

#[inline(always)]
fn add_scaled(mut totals: [f32; WIDTH], sums: Sums, scale: f32) -> [f32; WIDTH] {
    for i in 0..WIDTH {
        totals[i] = mul_add::<{ cfg!(target_arch = "aarch64") }>(sums[i] as f32, scale, totals[i]);
    }
    totals
}

/// # Safety
/// Vectors of the tile, and of its factors where they are not null, lie there.
#[inline(always)]
unsafe fn store(to: *mut f32, totals: [f32; WIDTH], factors: *const f32, accumulate: bool) {
    for (i, total) in totals.iter().enumerate() {
        // SAFETY: a vector of the tile, and of its factors.
        unsafe {
            let total = if accumulate { *to.add(i) + total } else { *total };
            *to.add(i) = if factors.is_null() { total } else { total * *factors.add(i) };
        }
    }
}

kernel!();
