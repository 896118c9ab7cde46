//! bf16 with AVX512_BF16: `vdpbf16ps` adds the products of a pair to an f32; tiles of up to 14 x 32.

use super::{Micro, Terms, paces, tiles};
use crate::gemm::ahead::Ahead;
use std::arch::x86_64::{
    __m512, __m512bh, __m512i, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_loadu_ps, _mm512_loadu_si512,
    _mm512_set1_epi32, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_storeu_ps,
};
use std::mem::transmute;

/// Elements of k between two lines that are asked for.
const PACE: usize = 4;

pub static MICRO: Micro = Micro {
    pair: true,
    mr: 14,
    nr: 32,
    lane: 16,
    depth: 768,
    k_step: 2,
    whole_rows: false,
    enter: None,
    leave: None,
    wide: tiles!(tile, 2, 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
    narrow: tiles!(tile, 1, 1 2 3 4 5 6 7 8 9 10 11 12 13 14),
};

/// # Safety
/// As for [`super::Tile`].
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn tile<const ROWS: usize, const VECTORS: usize>(
    terms: &[Terms],
    c: *mut f32,
    ldc: usize,
    accumulate: bool,
    ahead: &mut Ahead,
) {
    // SAFETY: the caller's rows and panels hold k elements each; c holds ROWS rows.
    unsafe {
        let mut sums: [[__m512; VECTORS]; ROWS] = [[_mm512_setzero_ps(); VECTORS]; ROWS];
        for term in terms {
            sums = add(sums, term, ahead);
        }
        for (i, sum) in sums.iter().enumerate() {
            for (j, value) in sum.iter().enumerate() {
                let to = c.add(i * ldc + j * 16);
                let value = if accumulate { _mm512_add_ps(_mm512_loadu_ps(to), *value) } else { *value };
                _mm512_storeu_ps(to, value);
            }
        }
    }
}

/// The sums and the products of one term. By value, so that they are in registers while it runs.
///
/// # Safety
/// The term is one of [`tile`]'s.
#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn add<const ROWS: usize, const VECTORS: usize>(
    mut sums: [[__m512; VECTORS]; ROWS],
    term: &Terms,
    ahead: &mut Ahead,
) -> [[__m512; VECTORS]; ROWS] {
    // SAFETY: the rows and the panel hold k elements each.
    unsafe {
        let mut left = term.a;
        let mut right = term.b.cast::<i32>();
        for some in paces(term.k, PACE) {
            ahead.ask();
            for _ in 0..some {
                let mut panel: [__m512i; VECTORS] = [_mm512_setzero_si512(); VECTORS];
                for (j, vector) in panel.iter_mut().enumerate() {
                    *vector = _mm512_loadu_si512(right.add(j * 16).cast());
                }
                let mut row = left;
                for sum in &mut sums {
                    let pair =
                        transmute::<__m512i, __m512bh>(_mm512_set1_epi32(row.cast::<i32>().read_unaligned()));
                    for (sum, vector) in sum.iter_mut().zip(&panel) {
                        *sum = _mm512_dpbf16_ps(*sum, pair, transmute::<__m512i, __m512bh>(*vector));
                    }
                    // The next row; past the last it is not read.
                    row = row.wrapping_add(term.stride);
                }
                left = left.add(4);
                right = right.add(VECTORS * 16);
            }
        }
    }
    sums
}
