//! f32 with AVX2 and FMA: tiles of up to 6 x 16 in 12 of the 16 registers.

use super::{Micro, ROW_BYTES, tiles};
use std::arch::x86_64::{
    __m256, _mm256_add_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_storeu_ps,
};

pub static MICRO: Micro = Micro {
    pair: false,
    mr: 6,
    nr: 16,
    lane: 8,
    k_step: 1,
    whole_rows: false,
    enter: None,
    leave: None,
    wide: tiles!(tile, 2, 1 2 3 4 5 6),
    narrow: tiles!(tile, 1, 1 2 3 4 5 6),
};

#[target_feature(enable = "avx2,fma")]
unsafe fn tile<const ROWS: usize, const VECTORS: usize>(
    k: usize,
    a: *const u8,
    b: *const u8,
    c: *mut f32,
    ldc: usize,
    accumulate: bool,
) {
    // SAFETY: the caller packed k elements of each row of A and of each column of B; c holds ROWS rows.
    unsafe {
        let mut sums: [[__m256; VECTORS]; ROWS] = [[_mm256_setzero_ps(); VECTORS]; ROWS];
        let mut left = a.cast::<f32>();
        let mut right = b.cast::<f32>();
        for _ in 0..k {
            let mut panel = [_mm256_setzero_ps(); VECTORS];
            for (j, vector) in panel.iter_mut().enumerate() {
                *vector = _mm256_loadu_ps(right.add(j * 8));
            }
            for (i, sum) in sums.iter_mut().enumerate() {
                let value = _mm256_set1_ps(*left.byte_add(i * ROW_BYTES));
                for (sum, vector) in sum.iter_mut().zip(&panel) {
                    *sum = _mm256_fmadd_ps(value, *vector, *sum);
                }
            }
            left = left.add(1);
            right = right.add(VECTORS * 8);
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
