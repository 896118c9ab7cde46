//! f32 for any processor: loops of constant length that the compiler turns into vectors of the target's baseline.

use super::{DEPTH_F32, Micro, Terms, Tile, paces, tiles};
use crate::gemm::ahead::Ahead;
use crate::isa::mul_add;

/// NEON has 32 registers of four values, and two or four multiply-adds on their way at a time: 24 sums keep them busy.
/// The 16 registers of SSE2 hold eight.
const NEON: bool = cfg!(target_arch = "aarch64");
const LANE: usize = if NEON { 8 } else { 4 };

/// Elements of k between two lines that are asked for.
const PACE: usize = 8;

pub static MICRO: Micro = Micro {
    pair: false,
    mr: if NEON { 6 } else { 4 },
    nr: 2 * LANE,
    lane: LANE,
    depth: DEPTH_F32,
    k_step: 1,
    whole_rows: false,
    enter: None,
    leave: None,
    wide: tiles!(tile, 2, 1 2 3 4 5 6),
    narrow: tiles!(tile, 1, 1 2 3 4 5 6),
};

const _: Tile = tile::<1, 1>;

/// # Safety
/// As for [`super::Tile`].
unsafe fn tile<const ROWS: usize, const VECTORS: usize>(
    terms: &[Terms],
    c: *mut f32,
    ldc: usize,
    accumulate: bool,
    ahead: &mut Ahead,
) {
    let mut sums = [[[0f32; LANE]; VECTORS]; ROWS];
    for term in terms {
        // SAFETY: the caller's rows and panels hold k elements each.
        sums = unsafe { add(sums, term, ahead) };
    }
    for (i, sum) in sums.iter().enumerate() {
        for (j, value) in sum.iter().flatten().enumerate() {
            // SAFETY: c holds ROWS rows of ldc >= VECTORS · LANE values.
            unsafe {
                let to = c.add(i * ldc + j);
                *to = if accumulate { *to + value } else { *value };
            }
        }
    }
}

/// The sums and the products of one term. By value, so that they are in registers while it runs.
///
/// # Safety
/// The term is one of [`tile`]'s.
#[inline(always)]
unsafe fn add<const ROWS: usize, const VECTORS: usize>(
    mut sums: [[[f32; LANE]; VECTORS]; ROWS],
    term: &Terms,
    ahead: &mut Ahead,
) -> [[[f32; LANE]; VECTORS]; ROWS] {
    let mut left = term.a;
    let mut panel = term.b.cast::<[[f32; LANE]; VECTORS]>();
    for some in paces(term.k, PACE) {
        ahead.ask();
        for _ in 0..some {
            // SAFETY: the rows and the panel hold k elements each.
            unsafe {
                let right = panel.read_unaligned();
                let mut row = left;
                for sum in &mut sums {
                    let left = row.cast::<f32>().read_unaligned();
                    for (sum, right) in sum.iter_mut().zip(&right) {
                        for (sum, right) in sum.iter_mut().zip(right) {
                            *sum = mul_add::<NEON>(left, *right, *sum);
                        }
                    }
                    // The next row; past the last it is not read.
                    row = row.wrapping_add(term.stride);
                }
            }
            left = left.wrapping_add(4);
            panel = panel.wrapping_add(1);
        }
    }
    sums
}
