//! Copies between strided places.

use std::ops::Range;

use ift_kernel_abi::{Code, Error, FloatDType, Result, product, size};
use napi_derive::napi;

use crate::element::Element;
use crate::isa::{Loop, vectorised};
use crate::node::{Failure, kernel};
use crate::queue::Context;
use crate::row;
use crate::with_element;

/// y += x, which may overlap.
struct Add<E> {
    y: *mut E,
    x: *const E,
    n: usize,
}

impl<E: Element> Loop for Add<E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let mut x = [0.0f32; 128];
        for start in (0..self.n).step_by(x.len()) {
            let x = &mut x[..128.min(self.n - start)];
            // SAFETY: a piece of the caller's row, which is written to below.
            row::load(x, unsafe { std::slice::from_raw_parts(self.x.add(start), x.len()) });
            // SAFETY: a piece of the caller's row, which other threads leave alone; no slice of the source is left.
            row::store_onto(unsafe { std::slice::from_raw_parts_mut(self.y.add(start), x.len()) }, x, true);
        }
    }
}

/// Elements from the start of a buffer to the end of the last row.
fn reach(offset: usize, stride: usize, rows: usize, cols: usize) -> Result<usize> {
    if rows == 0 || cols == 0 {
        return Ok(0);
    }
    let last = product(&[rows - 1, stride])?;
    last.checked_add(offset)
        .and_then(|start| start.checked_add(cols))
        .ok_or_else(|| Error::new(Code::Argument, "the last row is beyond any buffer"))
}

/// y[yOffset + r·yStride + c] (+)= x[xOffset + r·xStride + c].
#[napi(js_name = "copy2d")]
pub fn copy_2d(
    device: u32,
    y: u32,
    y_offset: f64,
    y_stride: f64,
    x: u32,
    x_offset: f64,
    x_stride: f64,
    rows: f64,
    cols: f64,
    dtype: u32,
    accumulate: bool,
) -> Option<Failure> {
    kernel(device, "copy2d", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let (y_offset, y_stride) = (size("yOffset", y_offset)?, size("yStride", y_stride)?);
        let (x_offset, x_stride) = (size("xOffset", x_offset)?, size("xStride", x_stride)?);
        let y = args.output("y", y, &[reach(y_offset, y_stride, rows, cols)?], dtype)?;
        let x = args.in_place("x", x, &[reach(x_offset, x_stride, rows, cols)?], dtype)?;
        let copy = move |context: &Context, r: usize, range: Range<usize>| {
            // SAFETY: the row lies below `reach` in both; ranges of a row that other threads copy are others. The context's
            // instruction set was detected.
            with_element!(dtype, E => unsafe {
                let y = y.of::<E>().add(y_offset + r * y_stride + range.start);
                let x = x.of::<E>().add(x_offset + r * x_stride + range.start).cast_const();
                if accumulate {
                    vectorised(context.isa, Add::<E> { y, x, n: range.len() });
                } else {
                    x.copy_to(y, range.len());
                }
            });
        };
        Ok(move |context: &Context| {
            if cols == 0 {
                return Ok(());
            }
            if rows > 2 * context.pool.threads() || y_stride < cols {
                // Rows that overlap are written in order.
                let grain = if y_stride < cols { rows } else { row::grain(cols) };
                context.pool.ranges(rows, grain, |rows| rows.for_each(|r| copy(context, r, 0..cols)));
            } else {
                (0..rows).for_each(|r| context.pool.ranges(cols, 1 << 15, |range| copy(context, r, range)));
            }
            Ok(())
        })
    })
}
