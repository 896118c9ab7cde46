//! Dropout and random numbers, both functions of (seed, stream, element index).

use std::ops::Range;

use ift_kernel_abi::{Code, Error, FloatDType, Result, size};
use napi_derive::napi;

use super::map::BLOCK;
use super::philox::{Philox, WIDTH};
use crate::element::Element;
use crate::isa::{Loop, vectorised};
use crate::math::{cos_sin_turn, ln_unit};
use crate::node::{Failure, kernel};
use crate::queue::Context;
use crate::row;
use crate::with_element;

const _: () = assert!(BLOCK == 4 * WIDTH);

/// Elements below which a second thread costs more than it saves.
const GRAIN: usize = 16 * BLOCK;

/// y may be x, so neither is a slice for longer than a block takes to be read or written.
struct Dropout<E> {
    y: *mut E,
    x: *const E,
    /// Starts at a multiple of BLOCK.
    range: Range<usize>,
    philox: Philox,
    /// Words from here on are kept.
    threshold: u64,
    scale: f32,
}

impl<E: Element> Loop for Dropout<E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        // At p = 1 no word reaches the threshold.
        let (threshold, scale) = (u32::try_from(self.threshold).unwrap_or(u32::MAX), self.scale);
        let none = self.threshold > u64::from(u32::MAX);
        let mut values = [0.0f32; BLOCK];
        let mut at = self.range.start;
        while at < self.range.end {
            let words = self.philox.words((at / 4) as u32);
            let len = BLOCK.min(self.range.end - at);
            // SAFETY: a block of the caller's range of x, which is written to below.
            let x = unsafe { std::slice::from_raw_parts(self.x.add(at), len) };
            // Loops of a length that the compiler knows: only the last block is shorter.
            match x.as_array::<BLOCK>() {
                Some(x) => row::load(&mut values, x),
                None => row::load(&mut values[..len], x),
            }
            for i in 0..BLOCK {
                // A dropped infinity is 0 too.
                values[i] = if words[i] >= threshold && !none { values[i] * scale } else { 0.0 };
            }
            // SAFETY: a block of the caller's range of y, which other threads leave alone; no slice of x is left.
            let y = unsafe { std::slice::from_raw_parts_mut(self.y.add(at), len) };
            match y.as_mut_array::<BLOCK>() {
                Some(y) => row::store(y, &values),
                None => row::store(y, &values[..len]),
            }
            at += len;
        }
    }
}

struct Draw<'a, E> {
    /// From element `first` on, which is a multiple of BLOCK.
    y: &'a mut [E],
    first: usize,
    philox: Philox,
    normal: bool,
}

impl<E: Element> Loop for Draw<'_, E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let mut values = [0.0f32; BLOCK];
        for (block, y) in self.y.chunks_mut(BLOCK).enumerate() {
            let start = self.first + block * BLOCK;
            if self.normal {
                let words = self.philox.blocks((start / 4) as u32);
                // Words 0 and 1 of a block, then 2 and 3.
                for pair in [0, 2] {
                    let (mut cos, mut sin) = ([0.0f32; WIDTH], [0.0f32; WIDTH]);
                    for i in 0..WIDTH {
                        (cos[i], sin[i]) = box_muller(words[pair][i], words[pair + 1][i]);
                    }
                    for i in 0..WIDTH {
                        values[4 * i + pair] = cos[i];
                        values[4 * i + pair + 1] = sin[i];
                    }
                }
            } else {
                for (value, word) in values.iter_mut().zip(self.philox.words((start / 4) as u32)) {
                    // Rounded once, as the division by 2^32 is exact.
                    *value = word as f32 / 4_294_967_296.0;
                }
            }
            row::store(y, &values[..y.len()]);
        }
    }
}

/// Two normal numbers of two words (Box & Muller 1958): radius sqrt(-2 ln((a + 1) / 2^32)), angle 2π b / 2^32. In f64
/// without fused steps, so that every instruction set gives the same bits.
#[inline(always)]
fn box_muller(a: u32, b: u32) -> (f32, f32) {
    let radius = (-2.0 * ln_unit(f64::from(a) + 1.0)).sqrt();
    let (cos, sin) = cos_sin_turn(std::f64::consts::TAU * (f64::from(b) / 4_294_967_296.0));
    ((radius * cos) as f32, (radius * sin) as f32)
}

fn key(seed: f64, stream: f64) -> Result<Philox> {
    let (seed, stream) = (size("seed", seed)?, size("stream", stream)?);
    let stream = u32::try_from(stream)
        .map_err(|_| Error::new(Code::Argument, format!("stream is {stream}, expected below 2^32")))?;
    Ok(Philox::new(seed as u64, stream))
}

/// y [n] = x / (1 - p) where kept, else 0; y may be x.
#[napi]
pub fn dropout(
    device: u32,
    y: u32,
    x: u32,
    n: f64,
    p: f64,
    seed: f64,
    stream: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "dropout", |args| {
        let (n, dtype, philox) = (size("n", n)?, FloatDType::from_code(dtype)?, key(seed, stream)?);
        if !(0.0..=1.0).contains(&p) {
            return Err(Error::new(Code::Argument, format!("p is {p}, expected 0 to 1")));
        }
        let y = args.output("y", y, &[n], dtype)?;
        let x = args.in_place("x", x, &[n], dtype)?;
        let threshold = (p * 4_294_967_296.0).floor() as u64;
        let scale = (1.0 / (1.0 - p)) as f32;
        Ok(move |context: &Context| {
            context.pool.ranges(n, GRAIN, |range| {
                // SAFETY: x and y hold the range, and other threads have others; the context's instruction set was detected.
                with_element!(dtype, E => unsafe {
                    let dropout = Dropout::<E> { y: y.of(), x: x.of(), range, philox, threshold, scale };
                    vectorised(context.isa, dropout)
                });
            });
            Ok(())
        })
    })
}

/// y [n], normal or uniform.
#[napi]
pub fn random(
    device: u32,
    y: u32,
    n: f64,
    normal: bool,
    seed: f64,
    stream: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "random", |args| {
        let (n, dtype, philox) = (size("n", n)?, FloatDType::from_code(dtype)?, key(seed, stream)?);
        let y = args.output("y", y, &[n], dtype)?;
        Ok(move |context: &Context| {
            context.pool.ranges(n, GRAIN, |range| {
                let first = range.start;
                // SAFETY: an output of the kernel; other threads have other ranges. The context's instruction set was detected.
                with_element!(dtype, E => unsafe {
                    let y = y.part::<E>(context, range);
                    vectorised(context.isa, Draw { y, first, philox, normal })
                });
            });
            Ok(())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm::supported;
    use crate::isa::Isa;

    fn drawn(isa: Isa, n: usize, normal: bool, philox: Philox) -> Vec<f32> {
        let mut y = vec![0f32; n];
        // SAFETY: the set is one of this processor.
        unsafe { vectorised(isa, Draw { y: &mut y, first: 0, philox, normal }) };
        y
    }

    #[test]
    fn numbers_are_those_of_the_library_functions_on_every_instruction_set() {
        let (philox, n) = (Philox::new(0x12_3456_789a_bcde, 7), 100_000);
        let unit = |word: u32| f64::from(word) / 4_294_967_296.0;
        for normal in [true, false] {
            let first = drawn(Isa::Portable, n, normal, philox);
            for isa in supported() {
                assert_eq!(drawn(isa, n, normal, philox), first, "{}", isa.name());
            }
            let mut unequal = 0;
            for (i, y) in first.iter().enumerate() {
                let words = philox.blocks((i / BLOCK * BLOCK / 4) as u32);
                let block = i % BLOCK / 4;
                let [a, b] = [words[(i % 4) & 2][block], words[(i % 4) | 1][block]];
                let expected = if normal {
                    let radius = (-2.0 * (unit(a) + 1.0 / 4_294_967_296.0).ln()).sqrt();
                    let angle = std::f64::consts::TAU * unit(b);
                    radius * if i % 2 == 0 { angle.cos() } else { angle.sin() }
                } else {
                    unit(words[i % 4][block])
                } as f32;
                unequal += usize::from(expected != *y);
                assert!((expected - y).abs() <= expected.abs() * f32::EPSILON, "{i}: {y}, {expected}");
            }
            // Where the library's last bit and this one's fall to two sides of the middle of two f32.
            assert!(unequal <= 2, "{unequal} of {n}");
        }
    }
}
