//! Loops over elements of several buffers.

use std::ops::Range;

use crate::device::Ptr;
use crate::element::Element;
use crate::isa::{Loop, vectorised};
use crate::queue::Context;

/// Elements that are read before any of them is written, which is what lets an output be an input.
pub const BLOCK: usize = 128;

/// Elements below which a second thread costs more than it saves.
const GRAIN: usize = 8192;

/// A function of one element of each input.
pub trait Map<const IN: usize, const OUT: usize>: Copy + Send + Sync {
    /// Must be `#[inline(always)]`.
    fn apply<const FMA: bool>(self, x: [f32; IN]) -> [f32; OUT];
}

struct Blocks<E, F, M, const IN: usize, const OUT: usize> {
    out: [*mut F; OUT],
    input: [*const E; IN],
    range: Range<usize>,
    map: M,
}

impl<E: Element, F: Element, M: Map<IN, OUT>, const IN: usize, const OUT: usize> Loop
    for Blocks<E, F, M, IN, OUT>
{
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let mut at = self.range.start;
        while at < self.range.end {
            let len = BLOCK.min(self.range.end - at);
            // SAFETY: the caller's range. The trip counts of a whole block are constants.
            unsafe { if len == BLOCK { self.block::<FMA>(at, BLOCK) } else { self.block::<FMA>(at, len) } }
            at += len;
        }
    }
}

impl<E: Element, F: Element, M: Map<IN, OUT>, const IN: usize, const OUT: usize> Blocks<E, F, M, IN, OUT> {
    #[inline(always)]
    unsafe fn block<const FMA: bool>(&self, at: usize, len: usize) {
        let mut x = [[0.0f32; BLOCK]; IN];
        let mut y = [[0.0f32; BLOCK]; OUT];
        for (x, input) in x.iter_mut().zip(self.input) {
            for (i, x) in x[..len].iter_mut().enumerate() {
                *x = unsafe { input.add(at + i).read() }.load();
            }
        }
        // The rest of a last block is computed and not stored.
        for i in 0..BLOCK {
            let values = self.map.apply::<FMA>(std::array::from_fn(|k| x[k][i]));
            for k in 0..OUT {
                y[k][i] = values[k];
            }
        }
        for (y, out) in y.iter().zip(self.out) {
            for (i, y) in y[..len].iter().enumerate() {
                unsafe { out.add(at + i).write(F::store(*y)) };
            }
        }
    }
}

/// out[k][i] = map(input[0][i], …)[k] for i below n. An output may be an input of the same element type.
///
/// # Safety
/// The buffers were checked for `n` elements.
pub unsafe fn map<E: Element, F: Element, const IN: usize, const OUT: usize>(
    context: &Context,
    out: [Ptr; OUT],
    input: [Ptr; IN],
    n: usize,
    map: impl Map<IN, OUT>,
) {
    context.pool.ranges(n, GRAIN, |range| {
        let out = out.map(|out| out.of::<F>());
        let input = input.map(|input| input.of::<E>().cast_const());
        unsafe { vectorised(context.isa, Blocks { out, input, range, map }) }
    });
}
