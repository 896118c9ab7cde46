//! Products of which every row has the same bits whatever the other rows are, how many there are and where it stands among
//! them: each element is summed in one order, which depends on k alone.
//!
//! That is the order of [`blocked`]: along k, one packed element after the other, in blocks whose sums are added. Where its
//! packing would cost more than the product, `turned` and `few` keep to it without. A second product is added in f32 and
//! the sum rounded once.

use super::blocked::{self, Product};
use super::micro::Micro;
use super::operand::Operand;
use super::store::Output;
use super::{GemmParams, Plus};
#[cfg(target_arch = "x86_64")]
use super::{few, thin, turned};
use crate::dtype::FloatDType;
use crate::element::Element;
use crate::isa::{Isa, Loop, vectorised};
use crate::pool::{Pool, scratch};
use crate::with_element;

/// [`super::gemm`].
///
/// # Safety
/// As for [`super::gemm`].
pub unsafe fn gemm(
    pool: &Pool,
    isa: Isa,
    y: *mut u8,
    a: *const u8,
    b: *const u8,
    bias: *const u8,
    p: &GemmParams,
) {
    let &GemmParams { m, n, k, dtype, .. } = p;
    if m == 0 || n == 0 {
        return;
    }
    // The sums of AMX are others, and too slow to make for one row.
    let isa = isa.min(Isa::Avx512Bf16);
    #[cfg(target_arch = "x86_64")]
    if thin::takes_any_rows(isa, p, bias) {
        // SAFETY: the caller's operands, which `takes_any_rows` has looked at.
        return unsafe { thin::multiply(pool, isa, y, a, b, p) };
    }
    let left = Operand { at: a, ld: if p.trans_a { m } else { k }, transposed: p.trans_a, dtype };
    let right = Operand { at: b, ld: if p.trans_b { k } else { n }, transposed: !p.trans_b, dtype };
    let out = Output {
        at: y,
        ld: n,
        transposed: false,
        dtype: p.out_dtype,
        alpha: p.alpha,
        add: p.accumulate,
        bias,
        bias_dtype: dtype,
    };
    // SAFETY: the caller's operands; the micro-kernel is of the instruction set.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if !left.transposed && !right.transposed && k > 0 {
            if turned::takes(isa, m) {
                return turned::multiply(pool, isa, left, right, &out, (m, n, k));
            }
            if few::takes_in_order(isa, dtype, m) {
                return few::multiply(pool, isa, (left, m), (right, n), k, &out, true, true);
            }
        }
        let products = [Product { left, right, k }];
        blocked::multiply(pool, isa, Micro::of(isa, dtype), (m, n), &products, &out);
    }
}

/// [`super::gemm_plus`] of a second product or none.
///
/// # Safety
/// As for [`super::gemm_plus`].
#[expect(clippy::too_many_arguments, reason = "gemm's, and the second product")]
pub unsafe fn gemm_plus(
    pool: &Pool,
    isa: Isa,
    y: *mut u8,
    a: *const u8,
    b: *const u8,
    bias: *const u8,
    p: &GemmParams,
    plus: Option<&Plus>,
) {
    let Some(plus) = plus else {
        // SAFETY: the caller's operands.
        return unsafe { gemm(pool, isa, y, a, b, bias, p) };
    };
    let count = p.m * p.n;
    let (mut own, mut rest) = (scratch::<f32>(count), scratch::<f32>(count));
    let parts = Parts { y, own: own.as_mut_ptr(), rest: rest.as_mut_ptr() };
    let first = GemmParams { out_dtype: FloatDType::F32, ..*p };
    let second = GemmParams { k: plus.k, alpha: plus.alpha, accumulate: false, ..first };
    // SAFETY: the caller's operands, and room for each product; ranges have disjoint elements.
    with_element!(p.out_dtype, T => unsafe {
        if p.accumulate {
            pool.ranges(count, 4096, |range| {
                let (n, (y, to, _)) = (range.len(), parts.from::<T>(range.start));
                vectorised(isa, Widen { to, y, n });
            });
        }
        gemm(pool, isa, parts.own.cast(), a, b, bias, &first);
        gemm(pool, isa, parts.rest.cast(), plus.a, plus.b, std::ptr::null(), &second);
        pool.ranges(count, 4096, |range| {
            let (n, (y, own, rest)) = (range.len(), parts.from::<T>(range.start));
            vectorised(isa, Sum { y, own, rest, n });
        });
    });
}

/// An output and the two products that it is the sum of.
struct Parts {
    y: *mut u8,
    own: *mut f32,
    rest: *mut f32,
}

// SAFETY: ranges use disjoint elements.
unsafe impl Sync for Parts {}

impl Parts {
    /// All three from an element on.
    fn from<T>(&self, at: usize) -> (*mut T, *mut f32, *mut f32) {
        (self.y.cast::<T>().wrapping_add(at), self.own.wrapping_add(at), self.rest.wrapping_add(at))
    }
}

/// to = y, in f32.
struct Widen<T> {
    to: *mut f32,
    y: *const T,
    n: usize,
}

impl<T: Element> Loop for Widen<T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for i in 0..self.n {
            // SAFETY: the caller's elements.
            unsafe { *self.to.add(i) = self.y.add(i).read_unaligned().load() };
        }
    }
}

/// y = own + rest.
struct Sum<T> {
    y: *mut T,
    own: *const f32,
    rest: *const f32,
    n: usize,
}

impl<T: Element> Loop for Sum<T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for i in 0..self.n {
            // SAFETY: the caller's elements.
            unsafe { self.y.add(i).write_unaligned(T::store(*self.own.add(i) + *self.rest.add(i))) };
        }
    }
}
