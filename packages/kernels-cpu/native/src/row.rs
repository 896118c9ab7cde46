//! Steps over one row in f32. All are inlined into the loop of an instruction set.

use std::ops::Range;

use crate::element::Element;
use crate::isa::mul_add;

/// Partial sums side by side: a reduction has one order whatever the instruction set.
const LANES: usize = 16;

/// y = x, which are of one length.
#[inline(always)]
pub fn load<E: Element>(y: &mut [f32], x: &[E]) {
    debug_assert_eq!(y.len(), x.len());
    for (y, x) in y.iter_mut().zip(x) {
        *y = x.load();
    }
}

/// [`load`] from an address, which the loops of int8 are faster with than with slices.
///
/// # Safety
/// As many elements lie at `x` as y has, and nothing writes to them meanwhile.
#[inline(always)]
pub unsafe fn load_at<E: Element>(y: &mut [f32], x: *const E) {
    for (i, y) in y.iter_mut().enumerate() {
        // SAFETY: the caller's elements.
        *y = unsafe { x.add(i).read() }.load();
    }
}

/// Asks for what lies at `x`, which need not exist.
#[inline(always)]
pub fn fetch<E>(x: *const E) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(x.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = x;
}

/// y = x, which are of one length.
#[inline(always)]
pub fn store<E: Element>(y: &mut [E], x: &[f32]) {
    debug_assert_eq!(y.len(), x.len());
    for (y, x) in y.iter_mut().zip(x) {
        *y = E::store(*x);
    }
}

/// y (+)= x, which are of one length.
#[inline(always)]
pub fn store_onto<E: Element>(y: &mut [E], x: &[f32], accumulate: bool) {
    debug_assert_eq!(y.len(), x.len());
    if accumulate {
        for (y, x) in y.iter_mut().zip(x) {
            *y = E::store(y.load() + *x);
        }
    } else {
        store(y, x);
    }
}

#[inline(always)]
fn total(lanes: [f32; LANES]) -> f32 {
    let mut lanes = lanes;
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

#[inline(always)]
pub fn sum(x: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for i in 0..LANES {
            lanes[i] += block[i];
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane += x;
    }
    total(lanes)
}

#[inline(always)]
pub fn dot<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a_blocks, a_rest) = a.as_chunks::<LANES>();
    let (b_blocks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_blocks.iter().zip(b_blocks) {
        for i in 0..LANES {
            lanes[i] = mul_add::<FMA>(a[i], b[i], lanes[i]);
        }
    }
    for (lane, (a, b)) in lanes.iter_mut().zip(a_rest.iter().zip(b_rest)) {
        *lane = mul_add::<FMA>(*a, *b, *lane);
    }
    total(lanes)
}

/// The largest element; NaN elements are passed over.
#[inline(always)]
pub fn max(x: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = x.as_chunks::<LANES>();
    for block in blocks {
        for i in 0..LANES {
            lanes[i] = if block[i] > lanes[i] { block[i] } else { lanes[i] };
        }
    }
    rest.iter().chain(&lanes).fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a })
}

/// The elements of some rows of `cols`.
pub fn span(rows: &Range<usize>, cols: usize) -> Range<usize> {
    rows.start * cols..rows.end * cols
}

/// Rows of `cols` elements that make a share of work worth a thread.
pub fn grain(cols: usize) -> usize {
    (8192 / cols.max(1)).max(1)
}
