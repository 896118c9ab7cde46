//! Products of which one side has few rows, both sides contiguous along k: y = x · w^T of a decoding step, or the narrow
//! side of an adapter. Nothing is packed; the large side is read once, from wherever it lies.
//!
//! Each element is summed in vector lanes along k, then over the lanes, in an order that depends on k alone.

use super::pack::Operand;
use crate::element::Element;
use crate::isa::{Isa, Loop, mul_add, vectorised};
use crate::with_element;
use std::ops::Range;

/// Lanes that sums are kept in.
const LANES: usize = 16;
/// Rows of either side in a tile.
#[cfg(target_arch = "x86_64")]
const SIDE: usize = 4;

/// Some rows of two operands, and where their products go.
struct Sides<T> {
    c: *mut f32,
    ldc: usize,
    x: *const T,
    ldx: usize,
    rows: usize,
    w: *const T,
    ldw: usize,
    cols: usize,
    k: usize,
}

/// c [rows, cols] = x · w^T for some rows of x and of w, `c` with `ldc` elements to a row.
///
/// # Safety
/// Both operands are contiguous along k and hold the rows; `c` holds the products; the processor has `isa`.
pub unsafe fn products(
    isa: Isa,
    c: *mut f32,
    ldc: usize,
    (x, rows): (Operand, Range<usize>),
    (w, cols): (Operand, Range<usize>),
    k: usize,
) {
    with_element!(x.dtype, T => unsafe {
        let sides = Sides {
            c,
            ldc,
            x: x.element(rows.start, 0).cast::<T>(),
            ldx: x.ld,
            rows: rows.len(),
            w: w.element(cols.start, 0).cast::<T>(),
            ldw: w.ld,
            cols: cols.len(),
            k,
        };
        #[cfg(target_arch = "x86_64")]
        match isa {
            Isa::Avx512Bf16 | Isa::Amx if T::IS_BF16 => return dot_bf16(&sides),
            Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx => return dot_512(&sides),
            Isa::Avx2 | Isa::Portable => {}
        }
        vectorised(isa, sides);
    });
}

/// Calls a tile of `rows` x `cols` for every part of the sides.
#[cfg(target_arch = "x86_64")]
macro_rules! each_tile {
    ($sides:expr, $tile:ident) => {
        for col in (0..$sides.cols).step_by(SIDE) {
            for row in (0..$sides.rows).step_by(SIDE) {
                match (($sides.rows - row).min(SIDE), ($sides.cols - col).min(SIDE)) {
                    (4, 4) => $tile::<_, 4, 4>($sides, row, col),
                    (4, cols) => (col..col + cols).for_each(|col| $tile::<_, 4, 1>($sides, row, col)),
                    (1, 4) => $tile::<_, 1, 4>($sides, row, col),
                    (2, 4) => $tile::<_, 2, 4>($sides, row, col),
                    (3, 4) => $tile::<_, 3, 4>($sides, row, col),
                    (rows, cols) => (row..row + rows)
                        .for_each(|row| (col..col + cols).for_each(|col| $tile::<_, 1, 1>($sides, row, col))),
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{SIDE, Sides};
    use crate::element::Element;
    use std::arch::x86_64::*;
    use std::mem::transmute;

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    pub unsafe fn dot_bf16<T: Element>(sides: &Sides<T>) {
        unsafe { each_tile!(sides, tile_bf16) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub unsafe fn dot_512<T: Element>(sides: &Sides<T>) {
        unsafe { each_tile!(sides, tile_512) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
    unsafe fn tile_bf16<T: Element, const R: usize, const C: usize>(
        sides: &Sides<T>,
        row: usize,
        col: usize,
    ) {
        unsafe {
            let (x, w) = (sides.x.add(row * sides.ldx), sides.w.add(col * sides.ldw));
            let mut sums = [[_mm512_setzero_ps(); C]; R];
            let mut step = |p: usize, mask: __mmask32| {
                let mut right = [_mm512_setzero_si512(); C];
                for (j, vector) in right.iter_mut().enumerate() {
                    *vector = _mm512_maskz_loadu_epi16(mask, w.add(j * sides.ldw + p).cast());
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let left = _mm512_maskz_loadu_epi16(mask, x.add(i * sides.ldx + p).cast());
                    for (sum, vector) in sums.iter_mut().zip(&right) {
                        let (a, b) =
                            (transmute::<__m512i, __m512bh>(left), transmute::<__m512i, __m512bh>(*vector));
                        *sum = _mm512_dpbf16_ps(*sum, a, b);
                    }
                }
            };
            let whole = sides.k / 32 * 32;
            for p in (0..whole).step_by(32) {
                step(p, !0);
            }
            if whole < sides.k {
                step(whole, (1 << (sides.k - whole)) - 1);
            }
            for (i, sums) in sums.iter().enumerate() {
                for (j, sum) in sums.iter().enumerate() {
                    *sides.c.add((row + i) * sides.ldc + col + j) = _mm512_reduce_add_ps(*sum);
                }
            }
        }
    }

    /// The values under the mask as f32.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    pub unsafe fn load<T: Element>(at: *const T, mask: __mmask16) -> __m512 {
        unsafe {
            if size_of::<T>() == 4 {
                _mm512_maskz_loadu_ps(mask, at.cast())
            } else if T::IS_BF16 {
                let bits = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, at.cast()));
                _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits))
            } else {
                _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, at.cast()))
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn tile_512<T: Element, const R: usize, const C: usize>(sides: &Sides<T>, row: usize, col: usize) {
        unsafe {
            let (x, w) = (sides.x.add(row * sides.ldx), sides.w.add(col * sides.ldw));
            let mut sums = [[_mm512_setzero_ps(); C]; R];
            let mut step = |p: usize, mask: __mmask16| {
                let mut right = [_mm512_setzero_ps(); C];
                for (j, vector) in right.iter_mut().enumerate() {
                    *vector = load(w.add(j * sides.ldw + p), mask);
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let left = load(x.add(i * sides.ldx + p), mask);
                    for (sum, vector) in sums.iter_mut().zip(&right) {
                        *sum = _mm512_fmadd_ps(left, *vector, *sum);
                    }
                }
            };
            let whole = sides.k / 16 * 16;
            for p in (0..whole).step_by(16) {
                step(p, !0);
            }
            if whole < sides.k {
                step(whole, (1 << (sides.k - whole)) - 1);
            }
            for (i, sums) in sums.iter().enumerate() {
                for (j, sum) in sums.iter().enumerate() {
                    *sides.c.add((row + i) * sides.ldc + col + j) = _mm512_reduce_add_ps(*sum);
                }
            }
        }
    }
}
#[cfg(target_arch = "x86_64")]
pub use x86::load;
#[cfg(target_arch = "x86_64")]
use x86::{dot_512, dot_bf16};

impl<T: Element> Loop for Sides<T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for col in 0..self.cols {
            for row in 0..self.rows {
                let mut sums = [0f32; LANES];
                // SAFETY: the caller's rows.
                unsafe {
                    let (x, w) = (self.x.add(row * self.ldx), self.w.add(col * self.ldw));
                    let whole = self.k / LANES * LANES;
                    for p in (0..whole).step_by(LANES) {
                        for (lane, sum) in sums.iter_mut().enumerate() {
                            let (a, b) = ((*x.add(p + lane)).load(), (*w.add(p + lane)).load());
                            *sum = mul_add::<FMA>(a, b, *sum);
                        }
                    }
                    for p in whole..self.k {
                        sums[p - whole] =
                            mul_add::<FMA>((*x.add(p)).load(), (*w.add(p)).load(), sums[p - whole]);
                    }
                    *self.c.add(row * self.ldc + col) = sums.iter().sum();
                }
            }
        }
    }
}
