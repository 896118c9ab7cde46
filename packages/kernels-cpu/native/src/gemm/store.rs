//! From the f32 accumulators to the output: alpha, beta, bias, rounding.

use super::ahead::{Region, Use};
use crate::dtype::FloatDType;
use crate::element::Element;
use crate::isa::{Isa, Loop, mul_add, vectorised};
use crate::with_element;
use std::ops::Range;

/// Where a product goes: element (i, j) to `at[i · ld + j]`, or to `at[j · ld + i]` when `transposed`.
#[derive(Clone, Copy)]
pub struct Output {
    pub at: *mut u8,
    pub ld: usize,
    pub transposed: bool,
    pub dtype: FloatDType,
    pub alpha: f32,
    /// Adds to what is there.
    pub add: bool,
    /// Of the columns of y: of i when `transposed`.
    pub bias: *const u8,
    pub bias_dtype: FloatDType,
}

impl Output {
    /// Where the elements `rows` x `cols` will be written.
    pub fn region(&self, rows: Range<usize>, cols: Range<usize>) -> Region {
        let (rows, cols) = if self.transposed { (cols, rows) } else { (rows, cols) };
        let size = self.dtype.size();
        let at = self.at.wrapping_add((rows.start * self.ld + cols.start) * size);
        Region::of(at, self.ld * size, (rows.len(), cols.len() * size), Use::Write)
    }
}

// SAFETY: tasks write disjoint elements.
unsafe impl Send for Output {}
// SAFETY: as above.
unsafe impl Sync for Output {}

/// Stores accumulators [rows, cols] as the elements `rows` x `cols`.
///
/// # Safety
/// The ranges lie in the output and `c` holds as many rows of `ldc`.
pub unsafe fn store(
    isa: Isa,
    out: &Output,
    c: *const f32,
    ldc: usize,
    rows: Range<usize>,
    cols: Range<usize>,
) {
    let (row, col, rows, cols) = (rows.start, cols.start, rows.len(), cols.len());
    let out = *out;
    // SAFETY: the caller's elements; rows of bf16 are rounded by instructions that the set has, and every other loop is compiled for
    // it.
    with_element!(out.dtype, Y => with_element!(out.bias_dtype, B => unsafe {
        let (down, along) = if out.transposed { (1, out.ld) } else { (out.ld, 1) };
        let y = out.at.cast::<Y>().add(row * down + col * along);
        let bias = out.bias.cast::<B>();
        if out.transposed {
            let bias = if bias.is_null() { bias } else { bias.add(row) };
            vectorised(isa, Columns { y, ld: out.ld, c, ldc, rows, cols, alpha: out.alpha, add: out.add, bias });
        } else {
            let bias = if bias.is_null() { bias } else { bias.add(col) };
            #[cfg(target_arch = "x86_64")]
            if isa >= Isa::Avx512Bf16 && Y::IS_BF16 {
                let y = y.cast::<u16>();
                return rows_bf16(Rows { y, ld: out.ld, c, ldc, rows, cols, alpha: out.alpha, add: out.add, bias });
            }
            vectorised(isa, Rows { y, ld: out.ld, c, ldc, rows, cols, alpha: out.alpha, add: out.add, bias });
        }
    }));
}

struct Rows<Y, B> {
    y: *mut Y,
    ld: usize,
    c: *const f32,
    ldc: usize,
    rows: usize,
    cols: usize,
    alpha: f32,
    add: bool,
    bias: *const B,
}

impl<Y: Element, B: Element> Loop for Rows<Y, B> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for i in 0..self.rows {
            // SAFETY: the caller's range.
            unsafe {
                let y = self.y.add(i * self.ld);
                let c = self.c.add(i * self.ldc);
                match (self.add, self.bias.is_null()) {
                    (false, true) => {
                        for j in 0..self.cols {
                            *y.add(j) = Y::store(self.alpha * *c.add(j));
                        }
                    }
                    (true, true) => {
                        for j in 0..self.cols {
                            *y.add(j) = Y::store(mul_add::<FMA>(self.alpha, *c.add(j), (*y.add(j)).load()));
                        }
                    }
                    (false, false) => {
                        for j in 0..self.cols {
                            *y.add(j) =
                                Y::store(mul_add::<FMA>(self.alpha, *c.add(j), (*self.bias.add(j)).load()));
                        }
                    }
                    (true, false) => {
                        for j in 0..self.cols {
                            let sum = (*y.add(j)).load() + (*self.bias.add(j)).load();
                            *y.add(j) = Y::store(mul_add::<FMA>(self.alpha, *c.add(j), sum));
                        }
                    }
                }
            }
        }
    }
}

/// [`Rows`] to bf16 with the processor's own rounding (which takes subnormals for zeros).
///
/// # Safety
/// The output, the accumulators and the bias hold the elements, and the processor has the features.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")]
unsafe fn rows_bf16<B: Element>(x: Rows<u16, B>) {
    use std::arch::x86_64::*;
    let alpha = _mm512_set1_ps(x.alpha);
    for i in 0..x.rows {
        for j in (0..x.cols).step_by(16) {
            let mask = if x.cols - j < 16 { (1 << (x.cols - j)) - 1 } else { !0 };
            // SAFETY: the caller's range.
            unsafe {
                let y = x.y.add(i * x.ld + j);
                let mut sum = _mm512_mul_ps(alpha, _mm512_maskz_loadu_ps(mask, x.c.add(i * x.ldc + j)));
                if x.add {
                    let bits = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, y.cast()));
                    sum = _mm512_add_ps(sum, _mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits)));
                }
                if !x.bias.is_null() {
                    sum = _mm512_add_ps(sum, super::dot::load(x.bias.add(j), mask));
                }
                let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(sum));
                _mm256_mask_storeu_epi16(y.cast(), mask, rounded);
            }
        }
    }
}

struct Columns<Y, B> {
    y: *mut Y,
    ld: usize,
    c: *const f32,
    ldc: usize,
    rows: usize,
    cols: usize,
    alpha: f32,
    add: bool,
    bias: *const B,
}

impl<Y: Element, B: Element> Loop for Columns<Y, B> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for j in 0..self.cols {
            for i in 0..self.rows {
                // SAFETY: the caller's range.
                unsafe {
                    let y = self.y.add(j * self.ld + i);
                    let mut sum = if self.add { (*y).load() } else { 0.0 };
                    if !self.bias.is_null() {
                        sum += (*self.bias.add(i)).load();
                    }
                    *y = Y::store(mul_add::<FMA>(self.alpha, *self.c.add(i * self.ldc + j), sum));
                }
            }
        }
    }
}
