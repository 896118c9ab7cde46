//! Euclidean norms: of rows, of a whole gradient, and the factor that clips it.

use ift_kernel_abi::{FloatDType, size};
use napi_derive::napi;

use crate::element::Element;
use crate::isa::{Loop, vectorised};
use crate::memory::Ptr;
use crate::node::{Failure, kernel};
use crate::pool::scratch;
use crate::queue::Context;
use crate::row;
use crate::with_element;

/// Elements summed in f32; the sums of such pieces are added in f64.
const PIECE: usize = 1024;
/// Elements of one partial sum of a whole tensor. A constant, so that the order of additions is one.
const PART: usize = 64 * PIECE;

struct Squares<'a, E>(&'a [E]);

impl<E: Element> Loop for Squares<'_, E> {
    type Out = f64;

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) -> f64 {
        let mut x = [0.0f32; PIECE];
        let mut total = 0.0;
        for piece in self.0.chunks(PIECE) {
            let x = &mut x[..piece.len()];
            row::load(x, piece);
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
                // SAFETY: an output of the kernel; other threads have other rows.
                let y = unsafe { y.part(context, rows.clone()) };
                for (r, y) in rows.zip(y) {
                    with_element!(dtype, E => {
                        let x = &x.slice::<E>(context)[r * cols..(r + 1) * cols];
                        // SAFETY: the context's instruction set was detected.
                        *y = unsafe { vectorised(context.isa, Squares(x)) }.sqrt() as f32;
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
            let places = Ptr::to(&mut sums);
            context.pool.run(n.div_ceil(PART), &|part| {
                // SAFETY: the kernel's own memory, one place for each part; the context's instruction set was detected.
                with_element!(dtype, E => unsafe {
                    let x = &x.slice::<E>(context)[part * PART..((part + 1) * PART).min(n)];
                    places.part(context, part..part + 1)[0] = vectorised(context.isa, Squares(x));
                });
            });
            let sum = sums.iter().sum::<f64>() as f32;
            // SAFETY: an output of the kernel, which other threads have nothing to do with.
            row::store_onto::<f32>(unsafe { y.all(context) }, &[sum], accumulate);
            Ok(())
        })
    })
}

/// y f32 [1] = min(1, maxNorm / (sqrt(squaredNorm f32 [1]) + 1e-6)); NaN where squaredNorm is not finite.
#[napi]
pub fn clip_factor(device: u32, y: u32, squared_norm: u32, max_norm: f64) -> Option<Failure> {
    kernel(device, "clipFactor", |args| {
        let y = args.output("y", y, &[1], FloatDType::F32)?;
        let squared_norm = args.input("squaredNorm", squared_norm, &[1], FloatDType::F32)?;
        Ok(move |context: &Context| {
            let norm = f64::from(squared_norm.slice::<f32>(context)[0]).sqrt();
            let factor = if norm.is_finite() { (max_norm / (norm + 1e-6)).min(1.0) } else { f64::NAN };
            // SAFETY: an output of the kernel, which other threads have nothing to do with.
            unsafe { y.all(context)[0] = factor as f32 };
            Ok(())
        })
    })
}
