//! Dropout and random numbers, both functions of (seed, stream, element index).

use std::ops::Range;

use ift_kernel_abi::{Code, Error, FloatDType, Result, size};
use napi_derive::napi;

use super::map::BLOCK;
use super::philox::{Philox, WIDTH};
use crate::element::Element;
use crate::isa::{Loop, vectorised};
use crate::node::{Failure, kernel};
use crate::with_element;

const _: () = assert!(BLOCK == 4 * WIDTH);

/// Elements below which a second thread costs more than it saves.
const GRAIN: usize = 16 * BLOCK;

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
        let threshold = self.threshold.min(u64::from(u32::MAX)) as u32;
        let scale = if self.threshold > u64::from(u32::MAX) { 0.0 } else { self.scale };
        let mut factors = [0.0f32; BLOCK];
        let mut values = [0.0f32; BLOCK];
        let mut at = self.range.start;
        while at < self.range.end {
            let words = self.philox.blocks((at / 4) as u32);
            for i in 0..WIDTH {
                for (k, words) in words.iter().enumerate() {
                    factors[4 * i + k] = if words[i] >= threshold { scale } else { 0.0 };
                }
            }
            let len = BLOCK.min(self.range.end - at);
            for (i, value) in values[..len].iter_mut().enumerate() {
                let x = unsafe { self.x.add(at + i).read() }.load();
                // A dropped infinity is 0 too.
                *value = if factors[i] == 0.0 { 0.0 } else { x * factors[i] };
            }
            for (i, value) in values[..len].iter().enumerate() {
                unsafe { self.y.add(at + i).write(E::store(*value)) };
            }
            at += len;
        }
    }
}

/// # Safety
/// y holds the elements of `range`, which starts at a multiple of BLOCK.
unsafe fn draw<E: Element>(y: *mut E, range: Range<usize>, philox: Philox, normal: bool) {
    let unit = |word: u32| f64::from(word) / 4_294_967_296.0;
    for start in range.clone().step_by(BLOCK) {
        let words = philox.blocks((start / 4) as u32);
        for i in start..(start + BLOCK).min(range.end) {
            let block = (i - start) / 4;
            let word = words[i % 4][block];
            let value = if normal {
                // Words 0 and 1, or 2 and 3; the angle belongs to the odd one.
                let [a, b] = [words[(i % 4) & 2][block], words[(i % 4) | 1][block]];
                let radius = (-2.0 * (unit(a) + 1.0 / 4_294_967_296.0).ln()).sqrt();
                let angle = std::f64::consts::TAU * unit(b);
                radius * if i % 2 == 0 { angle.cos() } else { angle.sin() }
            } else {
                unit(word)
            };
            unsafe { y.add(i).write(E::store(value as f32)) };
        }
    }
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
        let x = args.input("x", x, &[n], dtype)?;
        let threshold = (p * 4_294_967_296.0).floor() as u64;
        let scale = (1.0 / (1.0 - p)) as f32;
        Ok(move |context: &crate::queue::Context| {
            context.pool.ranges(n, GRAIN, |range| {
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
        Ok(move |context: &crate::queue::Context| {
            context.pool.ranges(n, GRAIN, |range| {
                with_element!(dtype, E => unsafe { draw::<E>(y.of(), range, philox, normal) });
            });
            Ok(())
        })
    })
}
