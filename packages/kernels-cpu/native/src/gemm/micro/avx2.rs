//! f32 with AVX2 and FMA: tiles of up to 6 x 16 in 12 of the 16 registers.

use super::{DEPTH_F32, Micro, Terms, paces, tiles};
use crate::gemm::ahead::Ahead;
use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_storeu_ps,
};

/// Elements of k between two lines that are asked for.
const PACE: usize = 8;

pub static MICRO: Micro = Micro {
    pair: false,
    mr: 6,
    nr: 16,
    lane: 8,
    depth: DEPTH_F32,
    k_step: 1,
    whole_rows: false,
    enter: None,
    leave: None,
    wide: tiles!(tile, 2, 1 2 3 4 5 6),
    narrow: tiles!(tile, 1, 1 2 3 4 5 6),
};

/// # Safety
/// As for [`super::Tile`].
#[target_feature(enable = "avx2,fma")]
unsafe fn tile<const ROWS: usize, const VECTORS: usize>(
    terms: &[Terms],
    c: *mut f32,
    ldc: usize,
    accumulate: bool,
    ahead: &mut Ahead,
) {
    // SAFETY: the caller's rows and panels hold k elements each; c holds ROWS rows.
    unsafe {
        let mut sums: [[__m256; VECTORS]; ROWS] = [[_mm256_setzero_ps(); VECTORS]; ROWS];
        for term in terms {
            sums = add(sums, term, ahead);
        }
        for (i, sum) in sums.iter().enumerate() {
            for (j, value) in sum.iter().enumerate() {
                let to = c.add(i * ldc + j * 8);
                let value = if accumulate { _mm256_add_ps(_mm256_loadu_ps(to), *value) } else { *value };
                _mm256_storeu_ps(to, value);
            }
        }
    }
}

/// The sums and the products of one term. By value, so that they are in registers while it runs.
///
/// # Safety
/// The term is one of [`tile`]'s.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn add<const ROWS: usize, const VECTORS: usize>(
    mut sums: [[__m256; VECTORS]; ROWS],
    term: &Terms,
    ahead: &mut Ahead,
) -> [[__m256; VECTORS]; ROWS] {
    // SAFETY: the rows and the panel hold k elements each.
    unsafe {
        let mut left = term.a;
        let mut right = term.b.cast::<f32>();
        for some in paces(term.k, PACE) {
            ahead.ask();
            for _ in 0..some {
                let mut panel = [_mm256_setzero_ps(); VECTORS];
                for (j, vector) in panel.iter_mut().enumerate() {
                    *vector = _mm256_loadu_ps(right.add(j * 8));
                }
                let mut row = left;
                for sum in &mut sums {
                    let value = _mm256_set1_ps(row.cast::<f32>().read_unaligned());
                    for (sum, vector) in sum.iter_mut().zip(&panel) {
                        *sum = _mm256_fmadd_ps(value, *vector, *sum);
                    }
                    // The next row; past the last it is not read.
                    row = row.wrapping_add(term.stride);
                }
                left = left.add(4);
                right = right.add(VECTORS * 8);
            }
        }
    }
    sums
}
