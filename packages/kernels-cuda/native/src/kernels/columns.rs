//! Sums over rows and factors of columns: columns.cu.

use ift_kernel_abi::{FloatDType, Result, product, size};
use napi_derive::napi;

use crate::device::{Checked, Ptr, address};
use crate::launch::{Context, args};
use crate::node::{Failure, kernel};
use crate::plan::geometry::{Geometry, elements, lanes, narrow, tiles};

args! {
    struct ColumnSumArgs {
        y: u64,
        partial: u64,
        x: u64,
        dy: u64,
        mean: u64,
        rstd: u64,
        rows: i64,
        rows_per_part: i64,
        cols: i32,
        accumulate: i32,
    }
}

args! {
    struct PartSumArgs {
        y: u64,
        partial: u64,
        parts: i32,
        cols: i32,
        accumulate: i32,
        unused: i32,
    }
}

args! {
    struct ScaleColumnsArgs {
        y: u64,
        x: u64,
        s: u64,
        rows: i64,
        cols: i32,
        unused: i32,
    }
}

/// What is summed over rows.
#[derive(Clone, Copy)]
pub enum Term {
    Value,
    /// dy · x.
    Product {
        dy: Ptr,
    },
    /// dy · (x - mean) · rstd; no mean for 0.
    Normalised {
        dy: Ptr,
        mean: Option<Ptr>,
        rstd: Ptr,
    },
}

/// A sum over rows, ready to be launched.
pub struct ColumnSums {
    name: String,
    call: ColumnSumArgs,
    geometry: Geometry,
    /// Sums of parts of the rows, added by a second launch.
    parts: usize,
}

impl ColumnSums {
    /// y f32 [cols] (+)= sum over rows of a term of x [rows, cols], buffers that were checked for these shapes.
    pub fn new(
        args: &Checked<'_>,
        y: Ptr,
        x: Ptr,
        term: Term,
        [rows, cols]: [usize; 2],
        dtype: FloatDType,
        accumulate: bool,
    ) -> Result<Self> {
        // From the shape alone, so that sums have one order on every device.
        const ROWS: usize = 64;
        const MOST_PARTS: usize = 64;
        let parts = (rows / ROWS).clamp(1, MOST_PARTS);
        let partial = if parts == 1 { 0 } else { address(args.scratch(product(&[4, parts, cols])?)?) };
        let strip = 32 * lanes(dtype, dtype);
        let (kind, dy, mean, rstd) = match term {
            Term::Value => ("rows", 0, 0, 0),
            Term::Product { dy } => ("products", address(dy), 0, 0),
            Term::Normalised { dy, mean, rstd } => {
                ("normalised", address(dy), mean.map_or(0, address), address(rstd))
            }
        };
        Ok(Self {
            name: format!("ift_sum_{kind}_{}", dtype.name()),
            call: ColumnSumArgs {
                y: address(y),
                partial,
                x: address(x),
                dy,
                mean,
                rstd,
                rows: rows as i64,
                rows_per_part: rows.div_ceil(parts) as i64,
                cols: narrow("cols", cols)?,
                accumulate: i32::from(accumulate),
            },
            geometry: Geometry { grid: [cols.div_ceil(strip) as u32, parts as u32, 1], block: [32, 8, 1] },
            parts,
        })
    }

    pub fn launch(&self, context: &Context) -> Result<()> {
        if self.parts == 1 {
            return context.launch(&self.name, self.geometry, 0, &self.call);
        }
        context.launch(&self.name, self.geometry, 0, &self.call)?;
        let ColumnSumArgs { y, partial, cols, accumulate, .. } = self.call;
        let sum = PartSumArgs { y, partial, parts: self.parts as i32, cols, accumulate, unused: 0 };
        context.launch("ift_sum_parts", elements(cols as usize, 1)?, 0, &sum)
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
        let sums = ColumnSums::new(args, y, x, Term::Value, [rows, cols], dtype, accumulate)?;
        Ok(move |context: &Context| sums.launch(context))
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
        let geometry = tiles(rows, cols, lanes(dtype, dtype))?;
        let name = format!("ift_scale_columns_{}", dtype.name());
        let (y, x, s) = (address(y), address(x), address(s));
        let call = ScaleColumnsArgs { y, x, s, rows: rows as i64, cols: narrow("cols", cols)?, unused: 0 };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
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
        let sums = ColumnSums::new(args, ds, x, Term::Product { dy }, [rows, cols], dtype, true)?;
        Ok(move |context: &Context| sums.launch(context))
    })
}
