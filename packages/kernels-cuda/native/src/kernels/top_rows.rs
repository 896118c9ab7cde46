//! The highest entries of rows: top_rows.cu.

use ift_kernel_abi::{DType, FloatDType, size, top_count};
use napi_derive::napi;

use crate::device::address;
use crate::launch::{Context, args};
use crate::node::{Failure, kernel};
use crate::plan::geometry::{Geometry, narrow};

args! {
    struct TopRowsArgs {
        values: u64,
        indices: u64,
        log_sum: u64,
        x: u64,
        cols: i32,
        k: i32,
        scale: f32,
        unused: i32,
    }
}

/// values f32 [rows, k] and indices i32 [rows, k] of the highest entries of x [rows, cols]; log_sum f32 [rows] or null.
#[napi]
pub fn top_rows(
    device: u32,
    values: u32,
    indices: u32,
    log_sum: Option<u32>,
    x: u32,
    rows: f64,
    cols: f64,
    k: f64,
    scale: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "topRows", |args| {
        let (rows, cols) = (size("rows", rows)?, size("cols", cols)?);
        let (k, dtype) = (top_count(k, cols)?, FloatDType::from_code(dtype)?);
        let values = address(args.output("values", values, &[rows, k], FloatDType::F32)?);
        let indices = address(args.output("indices", indices, &[rows, k], DType::I32)?);
        let log_sum =
            log_sum.map(|log_sum| args.output("logSum", log_sum, &[rows], FloatDType::F32)).transpose()?;
        let log_sum = log_sum.map_or(0, address);
        let x = address(args.input("x", x, &[rows, cols], dtype)?);
        // A row has one block however few rows there are, so all the threads that may work on it do.
        let threads = cols.div_ceil(4).next_multiple_of(32).clamp(32, 1024) as u32;
        let geometry = Geometry { grid: [narrow("rows", rows)? as u32, 1, 1], block: [threads, 1, 1] };
        let name = format!("ift_top_rows_{}", dtype.name());
        let (cols, k) = (narrow("cols", cols)?, narrow("k", k)?);
        let call = TopRowsArgs { values, indices, log_sum, x, cols, k, scale: scale as f32, unused: 0 };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}
