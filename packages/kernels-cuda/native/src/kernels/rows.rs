//! Rows of a table by index: rows.cu.

use ift_kernel_abi::{DType, FloatDType, size};
use napi_derive::napi;

use crate::device::address;
use crate::launch::{Context, args};
use crate::node::{Failure, kernel};
use crate::plan::geometry::{Geometry, lanes, narrow, tiles};

args! {
    struct GatherArgs {
        y: u64,
        table: u64,
        ids: u64,
        error: u64,
        rows: i64,
        table_rows: i64,
        cols: i32,
        unused: i32,
    }
}

args! {
    struct ScatterArgs {
        table: u64,
        x: u64,
        ids: u64,
        error: u64,
        rows: i64,
        table_rows: i64,
        cols: i32,
        accumulate: i32,
    }
}

/// y [rows, cols] = table [tableRows, cols] at rows ids i32 [rows].
#[napi]
pub fn gather_rows(
    device: u32,
    y: u32,
    table: u32,
    ids: u32,
    rows: f64,
    cols: f64,
    table_rows: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "gatherRows", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let table_rows = size("tableRows", table_rows)?;
        let y = address(args.output("y", y, &[rows, cols], dtype)?);
        let table = address(args.input("table", table, &[table_rows, cols], dtype)?);
        let ids = address(args.input("ids", ids, &[rows], DType::I32)?);
        let geometry = tiles(rows, cols, lanes(dtype, dtype))?;
        let name = format!("ift_gather_rows_{}", 8 * dtype.size());
        let (rows, cols, table_rows) = (rows as i64, narrow("cols", cols)?, table_rows as i64);
        Ok(move |context: &Context| {
            let error = context.error_flag();
            let call = GatherArgs { y, table, ids, error, rows, table_rows, cols, unused: 0 };
            context.launch(&name, geometry, 0, &call)
        })
    })
}

/// table [tableRows, cols] (+)= x [rows, cols] at rows ids i32 [rows], in row order.
#[napi]
pub fn scatter_rows(
    device: u32,
    table: u32,
    x: u32,
    ids: u32,
    rows: f64,
    cols: f64,
    table_rows: f64,
    dtype: u32,
    table_dtype: u32,
    accumulate: bool,
) -> Option<Failure> {
    kernel(device, "scatterRows", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let (table_rows, table_dtype) = (size("tableRows", table_rows)?, FloatDType::from_code(table_dtype)?);
        let table = address(args.output("table", table, &[table_rows, cols], table_dtype)?);
        let x = address(args.input("x", x, &[rows, cols], dtype)?);
        let ids = address(args.input("ids", ids, &[rows], DType::I32)?);
        let strips = cols.div_ceil(256 * lanes(dtype, dtype));
        let grid = [narrow("rows", rows)? as u32, narrow("cols", strips)? as u32, 1];
        let geometry = Geometry { grid, block: [256, 1, 1] };
        let name = format!("ift_scatter_rows_{}_{}", dtype.name(), table_dtype.name());
        let (rows, cols, table_rows) = (rows as i64, narrow("cols", cols)?, table_rows as i64);
        let accumulate = i32::from(accumulate);
        Ok(move |context: &Context| {
            let error = context.error_flag();
            let call = ScatterArgs { table, x, ids, error, rows, table_rows, cols, accumulate };
            context.launch(&name, geometry, 0, &call)
        })
    })
}
