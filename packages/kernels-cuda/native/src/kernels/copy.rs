//! Copies between strided places: copy.cu.

use ift_kernel_abi::{Code, Error, FloatDType, Result, product, size};
use napi_derive::napi;

use crate::device::address;
use crate::launch::{Context, args};
use crate::node::{Failure, kernel};
use crate::plan::geometry::{Geometry, lanes, tiles};

args! {
    struct CopyArgs {
        y: u64,
        x: u64,
        y_stride: i64,
        x_stride: i64,
        rows: i64,
        cols: i64,
        in_order: i32,
        unused: i32,
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
        // Rows that overlap are written in order.
        let in_order = rows > 1 && y_stride < cols;
        let geometry = if in_order {
            Geometry { grid: [1, 1, 1], block: [256, 1, 1] }
        } else {
            tiles(if cols == 0 { 0 } else { rows }, cols, lanes(dtype, dtype))?
        };
        let name = if accumulate {
            format!("ift_add_2d_{}", dtype.name())
        } else {
            format!("ift_copy_2d_{}", 8 * dtype.size())
        };
        let call = CopyArgs {
            y: address(y) + (y_offset * dtype.size()) as u64,
            x: address(x) + (x_offset * dtype.size()) as u64,
            y_stride: y_stride as i64,
            x_stride: x_stride as i64,
            rows: rows as i64,
            cols: cols as i64,
            in_order: i32::from(in_order),
            unused: 0,
        };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}
