//! From numbers to codes.

use super::levels::{DYNAMIC_MIDPOINTS, NF4_MIDPOINTS};
use super::{BLOCK, GROUP, Matrix};
use crate::element::Element;
use crate::isa::{Isa, Loop, vectorised};
use crate::memory::Ptr;
use crate::pool::{Pool, scratch};
use crate::row;

/// Adding and taking away 1.5 · 2^23 rounds to the nearest whole number, ties to even.
const ROUND: f32 = 12_582_912.0;

/// Elements of a row that are looked at together.
const PIECE: usize = 256;

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
struct Blocks<'a, E> {
    /// Of the elements from `x` on.
    codes: &'a mut [u8],
    x: &'a [E],
    largest: &'a mut [f32],
}

impl<E: Element> Loop for Blocks<'_, E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let blocks = self.x.chunks(BLOCK).zip(self.codes.chunks_mut(BLOCK / 2)).zip(self.largest);
        for ((elements, to), to_largest) in blocks {
            let len = elements.len();
            let mut x = [0.0f32; BLOCK];
            match elements.as_array::<BLOCK>() {
                Some(elements) => row::load(&mut x, elements),
                None => row::load(&mut x[..len], elements),
            }
            let most = largest(&x);
            *to_largest = most;
            let mut codes = [0u32; BLOCK];
            for (code, x) in codes.iter_mut().zip(&x) {
                let t = share(*x, most);
                for midpoint in &NF4_MIDPOINTS[..15] {
                    *code += u32::from(t > *midpoint);
                }
            }
            // A half without an element is 0.
            codes[len..].fill(0);
            for (to, pair) in to.iter_mut().zip(codes.as_chunks::<2>().0) {
                *to = (pair[0] << 4 | pair[1]) as u8;
            }
        }
    }
}

/// Codes and scales of some rows.
struct Rows<'a, E> {
    codes: &'a mut [i8],
    scales: &'a mut [f32],
    x: &'a [E],
    cols: usize,
}

impl<E: Element> Loop for Rows<'_, E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let cols = self.cols;
        let mut x = [0.0f32; PIECE];
        for (r, scale) in self.scales.iter_mut().enumerate() {
            let (row, to) = (&self.x[r * cols..(r + 1) * cols], &mut self.codes[r * cols..(r + 1) * cols]);
            let (row, to) = (row.as_ptr(), to.as_mut_ptr());
            let pieces = || (0..cols).step_by(PIECE).map(|start| (start, PIECE.min(cols - start)));
            let mut most = 0.0f32;
            for (at, len) in pieces() {
                // SAFETY: a piece of the row.
                unsafe { row::load_at(&mut x[..len], row.add(at)) };
                most = most.max(largest(&x[..len]));
            }
            let factor = share(127.0, most);
            for (at, len) in pieces() {
                // SAFETY: as above.
                unsafe { row::load_at(&mut x[..len], row.add(at)) };
                for (i, x) in x[..len].iter().enumerate() {
                    let whole = (x * factor + ROUND).to_bits() as i32 - ROUND.to_bits() as i32;
                    // SAFETY: the codes of the row are as many as its elements.
                    unsafe { to.add(at + i).write(whole as i8) };
                }
            }
            *scale = most;
        }
    }
}

/// Writes codes and scales of `w` from x.
///
/// # Safety
/// x holds the elements, and the parts of `w` what their lengths say, which nothing else uses meanwhile; the processor has `isa`.
pub unsafe fn quantize<E: Element>(pool: &Pool, isa: Isa, w: Matrix, x: &[E]) {
    match w {
        // `Matrix::of` gives none to write to.
        Matrix::Gguf(_) => {}
        Matrix::Int8(w) => pool.ranges(w.rows, row::grain(w.cols), |range| {
            let span = row::span(&range, w.cols);
            let x = &x[span.clone()];
            // SAFETY: the parts hold the rows, and other threads have others; the caller's instruction set.
            unsafe {
                let codes = w.codes.elements::<i8>(span);
                let scales = w.scales.elements(range);
                vectorised(isa, Rows { codes, scales, x, cols: w.cols });
            }
        }),
        Matrix::Nf4(w) => {
            let mut a = scratch::<f32>(w.blocks());
            let most = Ptr::to(&mut a);
            pool.ranges(w.blocks(), 128, |range| {
                let elements = range.start * BLOCK..(range.end * BLOCK).min(w.n);
                let x = &x[elements.clone()];
                // SAFETY: the codes hold the blocks and `a` a place for each, and other threads have others; the caller's
                // instruction set.
                unsafe {
                    let codes = w.codes.elements(elements.start / 2..elements.end.div_ceil(2));
                    vectorised(isa, Blocks { codes, x, largest: most.elements(range) });
                }
            });
            // One order for every number of threads.
            let sum: f64 = a.iter().map(|a| f64::from(*a)).sum();
            let mean = if a.is_empty() { 0.0 } else { (sum / a.len() as f64) as f32 };
            // SAFETY: the mean comes first, and no other thread is at work.
            let first = unsafe { w.groups.elements::<f32>(0..1) };
            first[0] = mean;
            let a = &*a;
            pool.ranges(a.len().div_ceil(GROUP), 16, |range| {
                let blocks = range.start * GROUP..(range.end * GROUP).min(a.len());
                // SAFETY: the factors of the groups and the levels of their blocks, of which other threads have others.
                let (factors, levels) = unsafe {
                    (w.groups.elements(1 + range.start..1 + range.end), w.scales.elements(blocks.clone()))
                };
                let groups = a[blocks].chunks(GROUP).zip(levels.chunks_mut(GROUP)).zip(factors);
                for ((a, levels), factor) in groups {
                    let mut rest = [0.0f32; GROUP];
                    let rest = &mut rest[..a.len()];
                    for (rest, a) in rest.iter_mut().zip(a) {
                        *rest = a - mean;
                    }
                    *factor = largest(rest);
                    for (level, rest) in levels.iter_mut().zip(rest) {
                        let t = share(*rest, *factor);
                        *level = DYNAMIC_MIDPOINTS[..255].partition_point(|midpoint| t > *midpoint) as u8;
                    }
                }
            });
        }
    }
}
