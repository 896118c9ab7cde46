//! Loops over elements of several buffers.

use std::ops::Range;

use ift_kernel_abi::{FloatDType, Result, size};

use crate::device::Args;
use crate::element::Element;
use crate::isa::{Loop, vectorised};
use crate::memory::Ptr;
use crate::queue::Context;
use crate::row;
use crate::with_element;

/// Elements that are read before any of them is written, which is what lets an output be an input.
pub const BLOCK: usize = 128;

/// Elements below which a second thread costs more than it saves.
const GRAIN: usize = 8192;

/// A function of one element of each input.
pub trait Map<const IN: usize, const OUT: usize>: Copy + Send + Sync {
    /// Must be `#[inline(always)]`.
    fn apply<const FMA: bool>(self, x: [f32; IN]) -> [f32; OUT];
}

/// An output may be an input, so neither is a slice for longer than a block takes to be read or written.
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
            // SAFETY: the block lies in the caller's range. The trip counts of a whole block are constants.
            unsafe { if len == BLOCK { self.block::<FMA>(at, BLOCK) } else { self.block::<FMA>(at, len) } }
            at += len;
        }
    }
}

impl<E: Element, F: Element, M: Map<IN, OUT>, const IN: usize, const OUT: usize> Blocks<E, F, M, IN, OUT> {
    /// # Safety
    /// The operands hold elements `at` to `at + len`, at most BLOCK, which no other thread uses.
    #[inline(always)]
    unsafe fn block<const FMA: bool>(&self, at: usize, len: usize) {
        let mut x = [[0.0f32; BLOCK]; IN];
        let mut y = [[0.0f32; BLOCK]; OUT];
        for (x, input) in x.iter_mut().zip(self.input) {
            // SAFETY: the caller's elements, which are written to below.
            row::load(&mut x[..len], unsafe { std::slice::from_raw_parts(input.add(at), len) });
        }
        // The rest of a last block is computed and not stored.
        for i in 0..BLOCK {
            let values = self.map.apply::<FMA>(std::array::from_fn(|k| x[k][i]));
            for k in 0..OUT {
                y[k][i] = values[k];
            }
        }
        for (y, out) in y.iter().zip(self.out) {
            // SAFETY: the caller's elements; no slice of an input is left.
            row::store(unsafe { std::slice::from_raw_parts_mut(out.add(at), len) }, &y[..len]);
        }
    }
}

/// out[k][i] = map(input[0][i], …)[k] for i below n.
///
/// # Safety
/// The operands were checked for `n` elements, in the kernel that runs on `context`. An output may begin where an input of the same
/// element type does, and overlaps nothing else.
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
        // SAFETY: the range lies below n, and other threads have other ranges; the context's instruction set was detected.
        unsafe { vectorised(context.isa, Blocks { out, input, range, map }) }
    });
}

/// The checked operands of a map between buffers of one type: n elements each. An output may be an input.
pub struct Operands<const IN: usize, const OUT: usize> {
    out: [Ptr; OUT],
    input: [Ptr; IN],
    n: usize,
    dtype: FloatDType,
}

impl<const IN: usize, const OUT: usize> Operands<IN, OUT> {
    pub fn of(
        args: &Args<'_>,
        out: [(&'static str, u32); OUT],
        input: [(&'static str, u32); IN],
        n: f64,
        dtype: u32,
    ) -> Result<Self> {
        let (n, dtype) = (size("n", n)?, FloatDType::from_code(dtype)?);
        let mut operands = Self { out: [Ptr::NONE; OUT], input: [Ptr::NONE; IN], n, dtype };
        for (place, (name, id)) in operands.out.iter_mut().zip(out) {
            *place = args.output(name, id, &[n], dtype)?;
        }
        for (place, (name, id)) in operands.input.iter_mut().zip(input) {
            *place = args.in_place(name, id, &[n], dtype)?;
        }
        Ok(operands)
    }

    /// out[k][i] = map(input[0][i], …)[k], in the kernel that the operands were checked for.
    pub fn run(&self, context: &Context, f: impl Map<IN, OUT>) {
        let &Self { out, input, n, dtype } = self;
        // SAFETY: `of` is the one place where operands come from.
        with_element!(dtype, E => unsafe { map::<E, E, IN, OUT>(context, out, input, n, f) });
    }
}
