//! Sums over rows and factors of columns.

use std::ops::Range;

use ift_kernel_abi::{FloatDType, size};
use napi_derive::napi;

use crate::device::Ptr;
use crate::element::Element;
use crate::isa::{Loop, vectorised};
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
    /// # Safety
    /// `row` is below the number of rows.
    unsafe fn of_row(self, row: usize) -> [f32; 2];
    /// Must be `#[inline(always)]`.
    fn term<const FMA: bool>(x: [f32; IN], of_row: [f32; 2]) -> f32;
}

struct Strip<E, T, const IN: usize> {
    y: *mut f32,
    input: [*const E; IN],
    term: T,
    rows: usize,
    cols: usize,
    strip: Range<usize>,
    accumulate: bool,
}

impl<E: Element, T: Term<IN>, const IN: usize> Loop for Strip<E, T, IN> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let len = self.strip.len();
        let mut x = [[0.0f32; STRIP]; IN];
        let mut total = [0.0f32; STRIP];
        for first in (0..self.rows).step_by(ROWS) {
            let mut sums = [0.0f32; STRIP];
            for r in first..(first + ROWS).min(self.rows) {
                let of_row = unsafe { self.term.of_row(r) };
                for (x, input) in x.iter_mut().zip(self.input) {
                    unsafe { row::load(&mut x[..len], input.add(r * self.cols + self.strip.start)) };
                }
                for i in 0..STRIP {
                    sums[i] += T::term::<FMA>(std::array::from_fn(|k| x[k][i]), of_row);
                }
            }
            for i in 0..STRIP {
                total[i] += sums[i];
            }
        }
        unsafe { row::store_onto(self.y.add(self.strip.start), &total[..len], self.accumulate) };
    }
}

/// y f32 [cols] (+)= sum over rows of a term of inputs [rows, cols].
///
/// # Safety
/// The buffers were checked for these shapes.
pub unsafe fn sum_over_rows<E: Element, const IN: usize>(
    context: &Context,
    y: Ptr,
    input: [Ptr; IN],
    term: impl Term<IN>,
    rows: usize,
    cols: usize,
    accumulate: bool,
) {
    context.pool.run(cols.div_ceil(STRIP), &|part| {
        let strip = part * STRIP..((part + 1) * STRIP).min(cols);
        let input = input.map(|input| input.of::<E>().cast_const());
        unsafe {
            vectorised(context.isa, Strip { y: y.of(), input, term, rows, cols, strip, accumulate });
        }
    });
}

#[derive(Clone, Copy)]
pub struct Value;

impl Term<1> for Value {
    #[inline(always)]
    unsafe fn of_row(self, _row: usize) -> [f32; 2] {
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
    unsafe fn of_row(self, _row: usize) -> [f32; 2] {
        [0.0; 2]
    }
    #[inline(always)]
    fn term<const FMA: bool>([dy, x]: [f32; 2], _of_row: [f32; 2]) -> f32 {
        dy * x
    }
}

/// dy · (x - mean) · rstd, the gradient of a norm's weight.
#[derive(Clone, Copy)]
pub struct Normalised {
    /// f32 [rows], or none for 0.
    pub mean: Option<Ptr>,
    /// f32 [rows].
    pub rstd: Ptr,
}

impl Term<2> for Normalised {
    #[inline(always)]
    unsafe fn of_row(self, row: usize) -> [f32; 2] {
        unsafe {
            let mean = self.mean.map_or(0.0, |mean| *mean.of::<f32>().add(row));
            [mean, *self.rstd.of::<f32>().add(row)]
        }
    }
    #[inline(always)]
    fn term<const FMA: bool>([dy, x]: [f32; 2], [mean, rstd]: [f32; 2]) -> f32 {
        dy * ((x - mean) * rstd)
    }
}

struct Scale<E> {
    y: *mut E,
    x: *const E,
    s: *const f32,
    rows: Range<usize>,
    cols: usize,
}

impl<E: Element> Loop for Scale<E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let mut x = scratch::<f32>(self.cols);
        let s = unsafe { std::slice::from_raw_parts(self.s, self.cols) };
        for r in self.rows {
            unsafe { row::load(&mut x, self.x.add(r * self.cols)) };
            for (x, s) in x.iter_mut().zip(s) {
                *x *= s;
            }
            unsafe { row::store(self.y.add(r * self.cols), &x) };
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
            with_element!(dtype, E => unsafe {
                sum_over_rows::<E, 1>(context, y, [x], Value, rows, cols, accumulate)
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
        let x = args.input("x", x, &[rows, cols], dtype)?;
        let s = args.input("s", s, &[cols], FloatDType::F32)?;
        Ok(move |context: &Context| {
            context.pool.ranges(rows, row::grain(cols), |rows| {
                with_element!(dtype, E => unsafe {
                    vectorised(context.isa, Scale::<E> { y: y.of(), x: x.of(), s: s.of(), rows, cols })
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
            with_element!(dtype, E => unsafe {
                sum_over_rows::<E, 2>(context, ds, [dy, x], Product, rows, cols, true)
            });
            Ok(())
        })
    })
}
