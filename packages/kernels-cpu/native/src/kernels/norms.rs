//! Euclidean norms: of rows, of a whole gradient, and the factor that clips it.

use std::ops::Range;

use ift_kernel_abi::{FloatDType, size};
use napi_derive::napi;

use crate::element::Element;
use crate::isa::{Loop, vectorised};
use crate::node::{Failure, kernel};
use crate::pool::scratch;
use crate::queue::Context;
use crate::row;
use crate::with_element;

/// Elements summed in f32; the sums of such pieces are added in f64.
const PIECE: usize = 1024;
/// Elements of one partial sum of a whole tensor. A constant, so that the order of additions is one.
const PART: usize = 64 * PIECE;

struct Squares<E> {
    x: *const E,
    range: Range<usize>,
}

impl<E: Element> Loop for Squares<E> {
    type Out = f64;

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) -> f64 {
        let mut x = [0.0f32; PIECE];
        let mut total = 0.0;
        for start in self.range.clone().step_by(PIECE) {
            let x = &mut x[..PIECE.min(self.range.end - start)];
            unsafe { row::load(x, self.x.add(start)) };
            total += f64::from(row::dot::<FMA>(x, x));
        }
        total
    }
}

/// y f32 [rows] = Euclidean norm of each row of x [rows, cols].
#[napi]
pub fn row_norms(device: u32, y: u32, x: u32, rows: f64, cols: f64, dtype: u32) -> Option<Failure> {
    kernel(device, "rowNorms", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let y = args.output("y", y, &[rows], FloatDType::F32)?;
        let x = args.input("x", x, &[rows, cols], dtype)?;
        Ok(move |context: &Context| {
            context.pool.ranges(rows, row::grain(cols), |rows| {
                for r in rows {
                    with_element!(dtype, E => unsafe {
                        let squares = Squares::<E> { x: x.of(), range: r * cols..(r + 1) * cols };
                        y.of::<f32>().add(r).write(vectorised(context.isa, squares).sqrt() as f32);
                    });
                }
            });
            Ok(())
        })
    })
}

/// y f32 [1] (+)= sum of squares of x [n].
#[napi]
pub fn squared_norm(device: u32, y: u32, x: u32, n: f64, dtype: u32, accumulate: bool) -> Option<Failure> {
    kernel(device, "squaredNorm", |args| {
        let (n, dtype) = (size("n", n)?, FloatDType::from_code(dtype)?);
        let y = args.output("y", y, &[1], FloatDType::F32)?;
        let x = args.input("x", x, &[n], dtype)?;
        Ok(move |context: &Context| {
            let mut sums = scratch::<f64>(n.div_ceil(PART));
            let place = super::Shared::new(&mut sums);
            context.pool.run(n.div_ceil(PART), &|part| {
                with_element!(dtype, E => unsafe {
                    let range = part * PART..((part + 1) * PART).min(n);
                    place.set(part, vectorised(context.isa, Squares::<E> { x: x.of(), range }));
                });
            });
            let sum = sums.iter().sum::<f64>() as f32;
            unsafe { row::store_onto(y.of::<f32>(), &[sum], accumulate) };
            Ok(())
        })
    })
}

/// y f32 [1] = min(1, maxNorm / (sqrt(squaredNorm f32 [1]) + 1e-6)).
#[napi]
pub fn clip_factor(device: u32, y: u32, squared_norm: u32, max_norm: f64) -> Option<Failure> {
    kernel(device, "clipFactor", |args| {
        let y = args.output("y", y, &[1], FloatDType::F32)?;
        let squared_norm = args.input("squaredNorm", squared_norm, &[1], FloatDType::F32)?;
        Ok(move |_: &Context| {
            unsafe {
                let factor = max_norm / (f64::from(*squared_norm.of::<f32>()).sqrt() + 1e-6);
                // A NaN stays one, so that it is seen.
                y.of::<f32>().write(if factor > 1.0 { 1.0 } else { factor as f32 });
            }
            Ok(())
        })
    })
}
