//! From numbers to codes.

use std::ops::Range;

use super::levels::{DYNAMIC_MIDPOINTS, NF4_MIDPOINTS};
use super::{BLOCK, GROUP, Int8, Matrix, Nf4};
use crate::element::Element;
use crate::isa::{Isa, Loop, vectorised};
use crate::pool::{Pool, scratch};
use crate::row;

/// Adding and taking away 1.5 · 2^23 rounds to the nearest whole number, ties to even.
const ROUND: f32 = 12_582_912.0;

/// x / of, or 0 where `of` is 0.
#[inline(always)]
fn share(x: f32, of: f32) -> f32 {
    if of == 0.0 { 0.0 } else { x / of }
}

#[inline(always)]
fn largest(x: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    let (blocks, rest) = x.as_chunks::<16>();
    for block in blocks {
        for (lane, x) in lanes.iter_mut().zip(block) {
            *lane = if x.abs() > *lane { x.abs() } else { *lane };
        }
    }
    rest.iter().chain(&lanes).fold(0.0, |most, x| if x.abs() > most { x.abs() } else { most })
}

/// Codes of some blocks, and the largest magnitude of each.
struct Blocks<E> {
    w: Nf4,
    x: *const E,
    largest: *mut f32,
    range: Range<usize>,
}

impl<E: Element> Loop for Blocks<E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for b in self.range {
            let len = BLOCK.min(self.w.n - b * BLOCK);
            let mut x = [0.0f32; BLOCK];
            if len == BLOCK {
                unsafe { row::load(&mut x, self.x.add(b * BLOCK)) };
            } else {
                unsafe { row::load(&mut x[..len], self.x.add(b * BLOCK)) };
            }
            let most = largest(&x);
            unsafe { self.largest.add(b).write(most) };
            let mut codes = [0u32; BLOCK];
            for (code, x) in codes.iter_mut().zip(&x) {
                let t = share(*x, most);
                for midpoint in &NF4_MIDPOINTS[..15] {
                    *code += u32::from(t > *midpoint);
                }
            }
            // A half without an element is 0.
            codes[len..].fill(0);
            let to = unsafe { self.w.codes.of::<u8>().add(b * (BLOCK / 2)) };
            for (i, pair) in codes.as_chunks::<2>().0[..len.div_ceil(2)].iter().enumerate() {
                unsafe { to.add(i).write((pair[0] << 4 | pair[1]) as u8) };
            }
        }
    }
}

/// Codes and scales of some rows.
struct Rows<E> {
    w: Int8,
    x: *const E,
    range: Range<usize>,
}

impl<E: Element> Loop for Rows<E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let cols = self.w.cols;
        let mut x = [0.0f32; 256];
        for r in self.range {
            let pieces = || (0..cols).step_by(256).map(|start| (r * cols + start, 256.min(cols - start)));
            let mut most = 0.0f32;
            for (at, len) in pieces() {
                unsafe { row::load(&mut x[..len], self.x.add(at)) };
                most = most.max(largest(&x[..len]));
            }
            let factor = share(127.0, most);
            for (at, len) in pieces() {
                unsafe { row::load(&mut x[..len], self.x.add(at)) };
                let to = unsafe { self.w.codes.of::<i8>().add(at) };
                for (i, x) in x[..len].iter().enumerate() {
                    let whole = (x * factor + ROUND).to_bits() as i32 - ROUND.to_bits() as i32;
                    unsafe { to.add(i).write(whole as i8) };
                }
            }
            unsafe { self.w.scales.of::<f32>().add(r).write(most) };
        }
    }
}

/// Writes codes and scales of `w` from x.
///
/// # Safety
/// x holds the elements and the parts of `w` are writable; the processor has `isa`.
pub unsafe fn quantize<E: Element>(pool: &Pool, isa: Isa, w: Matrix, x: *const E) {
    let x = Source(x);
    match w {
        Matrix::Int8(w) => pool.ranges(w.rows, row::grain(w.cols), |range| unsafe {
            vectorised(isa, Rows { w, x: x.get(), range });
        }),
        Matrix::Nf4(w) => {
            let mut a = scratch::<f32>(w.blocks());
            let most = Target(a.as_mut_ptr());
            pool.ranges(w.blocks(), 128, |range| unsafe {
                vectorised(isa, Blocks { w, x: x.get(), largest: most.get(), range });
            });
            // One order for every number of threads.
            let sum: f64 = a.iter().map(|a| f64::from(*a)).sum();
            let mean = if a.is_empty() { 0.0 } else { (sum / a.len() as f64) as f32 };
            unsafe { w.groups.of::<f32>().write(mean) };
            let a = &*a;
            pool.ranges(a.len().div_ceil(GROUP), 16, |range| {
                for g in range {
                    let first = g * GROUP;
                    let mut rest = [0.0f32; GROUP];
                    let rest = &mut rest[..GROUP.min(a.len() - first)];
                    for (rest, a) in rest.iter_mut().zip(&a[first..]) {
                        *rest = a - mean;
                    }
                    let most = largest(rest);
                    unsafe { w.groups.of::<f32>().add(1 + g).write(most) };
                    for (i, rest) in rest.iter().enumerate() {
                        let t = share(*rest, most);
                        let code = DYNAMIC_MIDPOINTS[..255].partition_point(|midpoint| t > *midpoint);
                        unsafe { w.scales.of::<u8>().add(first + i).write(code as u8) };
                    }
                }
            });
        }
    }
}

/// Pointers that every part of a job uses in its own places.
#[derive(Clone, Copy)]
struct Source<E>(*const E);
#[derive(Clone, Copy)]
struct Target<E>(*mut E);

// SAFETY: the parts write different elements.
unsafe impl<E> Sync for Source<E> {}
unsafe impl<E> Sync for Target<E> {}

impl<E> Source<E> {
    fn get(&self) -> *const E {
        self.0
    }
}

impl<E> Target<E> {
    fn get(&self) -> *mut E {
        self.0
    }
}
