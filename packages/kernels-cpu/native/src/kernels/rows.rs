//! Rows of a table by index.

use std::ops::Range;

use ift_kernel_abi::{Code, DType, Error, FloatDType, Result, size};
use napi_derive::napi;

use crate::element::Element;
use crate::isa::{Loop, vectorised};
use crate::node::{Failure, kernel};
use crate::queue::Context;
use crate::row;
use crate::with_element;

/// Refuses the first id outside the table.
pub fn check(ids: &[i32], table_rows: usize) -> Result<()> {
    let inside = |id: i32| usize::try_from(id).is_ok_and(|id| id < table_rows);
    match ids.iter().position(|id| !inside(*id)) {
        None => Ok(()),
        Some(at) => {
            let message = format!("ids[{at}] is {}, the table has {table_rows} rows", ids[at]);
            Err(Error::new(Code::IndexRange, message))
        }
    }
}

/// Some columns of all rows.
struct Scatter<'a, E, T> {
    table: *mut T,
    x: &'a [E],
    /// Rows of the table.
    ids: &'a [i32],
    range: Range<usize>,
    cols: usize,
    accumulate: bool,
}

impl<E: Element, T: Element> Loop for Scatter<'_, E, T> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let mut x = [0.0f32; 128];
        for (r, id) in self.ids.iter().enumerate() {
            for start in self.range.clone().step_by(x.len()) {
                let x = &mut x[..128.min(self.range.end - start)];
                row::load(x, &self.x[r * self.cols + start..][..x.len()]);
                // SAFETY: a part of a row of the table, in columns that other threads leave alone.
                let to = unsafe {
                    std::slice::from_raw_parts_mut(self.table.add(*id as usize * self.cols + start), x.len())
                };
                row::store_onto(to, x, self.accumulate);
            }
        }
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
        let y = args.output("y", y, &[rows, cols], dtype)?;
        let table = args.input("table", table, &[table_rows, cols], dtype)?;
        let ids = args.input("ids", ids, &[rows], DType::I32)?;
        Ok(move |context: &Context| {
            let (ids, table) = (ids.slice::<i32>(context), table.slice::<u8>(context));
            check(ids, table_rows)?;
            let bytes = cols * dtype.size();
            context.pool.ranges(rows, row::grain(cols), |rows| {
                // SAFETY: an output of the kernel; other threads have other rows.
                let y = unsafe { y.part::<u8>(context, row::span(&rows, bytes)) };
                for (r, id) in ids[rows].iter().enumerate() {
                    y[r * bytes..(r + 1) * bytes].copy_from_slice(&table[*id as usize * bytes..][..bytes]);
                }
            });
            Ok(())
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
        let table = args.output("table", table, &[table_rows, cols], table_dtype)?;
        let x = args.input("x", x, &[rows, cols], dtype)?;
        let ids = args.input("ids", ids, &[rows], DType::I32)?;
        Ok(move |context: &Context| {
            let ids = ids.slice::<i32>(context);
            check(ids, table_rows)?;
            // A share of the columns each, so that equal ids meet in row order.
            let grain = (8192 / rows.max(1)).next_multiple_of(64);
            context.pool.ranges(cols, grain, |range| {
                // SAFETY: the ids are rows of the table, and nothing writes to them; other threads have other columns. The context's
                // instruction set was detected.
                with_element!(dtype, E => with_element!(table_dtype, T => unsafe {
                    let (table, x) = (table.of::<T>(), x.slice::<E>(context));
                    vectorised(context.isa, Scatter { table, x, ids, range, cols, accumulate })
                }));
            });
            Ok(())
        })
    })
}
