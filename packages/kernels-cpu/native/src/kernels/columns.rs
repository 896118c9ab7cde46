//! Sums over rows and factors of columns.

use std::ops::Range;

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

/// Columns that are summed together, a few cache lines of each row.
const STRIP: usize = 128;
/// Rows that are summed before they are added to the total, which keeps the error of long sums down.
const ROWS: usize = 64;

/// What is summed: a function of one element of each input and of two numbers of the row.
pub trait Term<const IN: usize>: Copy + Send + Sync {
    fn of_row(self, row: usize) -> [f32; 2];
    /// Must be `#[inline(always)]`.
    fn term<const FMA: bool>(x: [f32; IN], of_row: [f32; 2]) -> f32;
}

/// The sums of some columns, at most STRIP, from `first` on.
struct Strip<'a, E, T, const IN: usize> {
    y: &'a mut [f32],
    input: [&'a [E]; IN],
    term: T,
    rows: usize,
    cols: usize,
    first: usize,
    accumulate: bool,
}

impl<E: Element, T: Term<IN>, const IN: usize> Loop for Strip<'_, E, T, IN> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let len = self.y.len();
        let mut x = [[0.0f32; STRIP]; IN];
        let mut total = [0.0f32; STRIP];
        for first in (0..self.rows).step_by(ROWS) {
            let mut sums = [0.0f32; STRIP];
            for r in first..(first + ROWS).min(self.rows) {
                let of_row = self.term.of_row(r);
                for (x, input) in x.iter_mut().zip(self.input) {
                    row::load(&mut x[..len], &input[r * self.cols + self.first..][..len]);
                }
                for i in 0..STRIP {
                    sums[i] += T::term::<FMA>(std::array::from_fn(|k| x[k][i]), of_row);
                }
            }
            for i in 0..STRIP {
                total[i] += sums[i];
            }
        }
        row::store_onto(self.y, &total[..len], self.accumulate);
    }
}

/// y f32 [cols], an output of the kernel, (+)= sum over rows of a term of inputs [rows, cols].
pub fn sum_over_rows<E: Element, const IN: usize>(
    context: &Context,
    y: Ptr,
    input: [&[E]; IN],
    term: impl Term<IN>,
    rows: usize,
    cols: usize,
    accumulate: bool,
) {
    context.pool.run(cols.div_ceil(STRIP), &|part| {
        let first = part * STRIP;
        // SAFETY: other parts have other columns of the output; the context's instruction set was detected.
        unsafe {
            let y = y.part(context, first..(first + STRIP).min(cols));
            vectorised(context.isa, Strip { y, input, term, rows, cols, first, accumulate });
        }
    });
}

#[derive(Clone, Copy)]
pub struct Value;

impl Term<1> for Value {
    #[inline(always)]
    fn of_row(self, _row: usize) -> [f32; 2] {
        [0.0; 2]
    }
    #[inline(always)]
    fn term<const FMA: bool>([x]: [f32; 1], _of_row: [f32; 2]) -> f32 {
        x
    }
}

#[derive(Clone, Copy)]
struct Product;

impl Term<2> for Product {
    #[inline(always)]
    fn of_row(self, _row: usize) -> [f32; 2] {
        [0.0; 2]
    }
    #[inline(always)]
    fn term<const FMA: bool>([dy, x]: [f32; 2], _of_row: [f32; 2]) -> f32 {
        dy * x
    }
}

/// dy · (x - mean) · rstd, the gradient of a norm's weight.
#[derive(Clone, Copy)]
pub struct Normalised<'a> {
    /// [rows], or none for 0.
    pub mean: Option<&'a [f32]>,
    /// [rows].
    pub rstd: &'a [f32],
}

impl Term<2> for Normalised<'_> {
    #[inline(always)]
    fn of_row(self, row: usize) -> [f32; 2] {
        [self.mean.map_or(0.0, |mean| mean[row]), self.rstd[row]]
    }
    #[inline(always)]
    fn term<const FMA: bool>([dy, x]: [f32; 2], [mean, rstd]: [f32; 2]) -> f32 {
        dy * ((x - mean) * rstd)
    }
}

/// Some rows. y may be x, so neither is a slice for longer than a row takes to be read or written.
struct Scale<'a, E> {
    y: *mut E,
    x: *const E,
    s: &'a [f32],
    rows: Range<usize>,
}

impl<E: Element> Loop for Scale<'_, E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let cols = self.s.len();
        let mut x = scratch::<f32>(cols);
        for r in self.rows {
            // SAFETY: a row of x, which is written to below.
            row::load(&mut x, unsafe { std::slice::from_raw_parts(self.x.add(r * cols), cols) });
            for (x, s) in x.iter_mut().zip(self.s) {
                *x *= s;
            }
            // SAFETY: a row of y; no slice of x is left.
            row::store(unsafe { std::slice::from_raw_parts_mut(self.y.add(r * cols), cols) }, &x);
        }
    }
}

/// y f32 [cols] (+)= sum over rows of x [rows, cols].
#[napi]
pub fn sum_rows(
    device: u32,
    y: u32,
    x: u32,
    rows: f64,
    cols: f64,
    dtype: u32,
    accumulate: bool,
) -> Option<Failure> {
    kernel(device, "sumRows", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let y = args.output("y", y, &[cols], FloatDType::F32)?;
        let x = args.input("x", x, &[rows, cols], dtype)?;
        Ok(move |context: &_| {
            with_element!(dtype, E => {
                sum_over_rows(context, y, [x.slice::<E>(context)], Value, rows, cols, accumulate)
            });
            Ok(())
        })
    })
}

/// y [rows, cols] = x · s [cols] on every row; s f32. y may be x.
#[napi]
pub fn scale_columns(
    device: u32,
    y: u32,
    x: u32,
    s: u32,
    rows: f64,
    cols: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "scaleColumns", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let y = args.output("y", y, &[rows, cols], dtype)?;
        let x = args.in_place("x", x, &[rows, cols], dtype)?;
        let s = args.input("s", s, &[cols], FloatDType::F32)?;
        Ok(move |context: &Context| {
            let s = s.slice(context);
            if s.is_empty() {
                return Ok(());
            }
            context.pool.ranges(rows, row::grain(cols), |rows| {
                // SAFETY: x and y hold the rows, and other threads have others; the context's instruction set was detected.
                with_element!(dtype, E => unsafe {
                    vectorised(context.isa, Scale::<E> { y: y.of(), x: x.of(), s, rows })
                });
            });
            Ok(())
        })
    })
}

/// ds f32 [cols] += sum over rows of dy · x.
#[napi]
pub fn scale_columns_backward(
    device: u32,
    ds: u32,
    dy: u32,
    x: u32,
    rows: f64,
    cols: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "scaleColumnsBackward", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let ds = args.output("ds", ds, &[cols], FloatDType::F32)?;
        let dy = args.input("dy", dy, &[rows, cols], dtype)?;
        let x = args.input("x", x, &[rows, cols], dtype)?;
        Ok(move |context: &_| {
            with_element!(dtype, E => {
                let input = [dy.slice::<E>(context), x.slice(context)];
                sum_over_rows(context, ds, input, Product, rows, cols, true)
            });
            Ok(())
        })
    })
}
