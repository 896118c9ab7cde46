//! RMSNorm, layer normalisation and norms of rows: rms_norm.cu, layer_norm.cu, norms.cu.

use ift_kernel_abi::{FloatDType, size};
use napi_derive::napi;

use super::columns::{ColumnSums, Term};
use crate::device::address;
use crate::launch::{Context, args};
use crate::node::{Failure, kernel};
use crate::plan::geometry::{narrow, rows as row_geometry};

args! {
    struct NormArgs {
        y: u64,
        mean: u64,
        rstd: u64,
        x: u64,
        w: u64,
        b: u64,
        rows: i64,
        cols: i32,
        eps: f32,
    }
}

args! {
    struct NormBackwardArgs {
        dx: u64,
        dy: u64,
        x: u64,
        w: u64,
        mean: u64,
        rstd: u64,
        rows: i64,
        cols: i32,
        accumulate: i32,
    }
}

args! {
    struct RowNormArgs {
        y: u64,
        x: u64,
        rows: i64,
        cols: i32,
        unused: i32,
    }
}

/// y [rows, cols] = x · rstd · w [cols], rstd f32 [rows] = 1 / sqrt(mean(x²) + eps).
#[napi]
pub fn rms_norm(
    device: u32,
    y: u32,
    rstd: u32,
    x: u32,
    w: u32,
    rows: f64,
    cols: f64,
    eps: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "rmsNorm", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let y = address(args.output("y", y, &[rows, cols], dtype)?);
        let rstd = address(args.output("rstd", rstd, &[rows], FloatDType::F32)?);
        let x = address(args.input("x", x, &[rows, cols], dtype)?);
        let w = address(args.input("w", w, &[cols], dtype)?);
        let geometry = row_geometry(rows, cols, dtype)?;
        let name = format!("ift_rms_norm_{}", dtype.name());
        let (rows, cols, eps) = (rows as i64, narrow("cols", cols)?, eps as f32);
        let call = NormArgs { y, mean: 0, rstd, x, w, b: 0, rows, cols, eps };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}

/// dx [rows, cols] (+)=, dw f32 [cols] +=.
#[napi]
pub fn rms_norm_backward(
    device: u32,
    dx: u32,
    dw: Option<u32>,
    dy: u32,
    x: u32,
    w: u32,
    rstd: u32,
    rows: f64,
    cols: f64,
    dtype: u32,
    accumulate: bool,
) -> Option<Failure> {
    kernel(device, "rmsNormBackward", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let dx = args.output("dx", dx, &[rows, cols], dtype)?;
        let dw = dw.map(|dw| args.output("dw", dw, &[cols], FloatDType::F32)).transpose()?;
        let dy = args.input("dy", dy, &[rows, cols], dtype)?;
        let x = args.input("x", x, &[rows, cols], dtype)?;
        let w = args.input("w", w, &[cols], dtype)?;
        let rstd = args.input("rstd", rstd, &[rows], FloatDType::F32)?;
        let term = Term::Normalised { dy, mean: None, rstd };
        let dw = dw.map(|dw| ColumnSums::new(args, dw, x, term, [rows, cols], dtype, true)).transpose()?;
        let geometry = row_geometry(rows, cols, dtype)?;
        let name = format!("ift_rms_norm_backward_{}", dtype.name());
        let call = NormBackwardArgs {
            dx: address(dx),
            dy: address(dy),
            x: address(x),
            w: address(w),
            mean: 0,
            rstd: address(rstd),
            rows: rows as i64,
            cols: narrow("cols", cols)?,
            accumulate: i32::from(accumulate),
        };
        Ok(move |context: &Context| {
            if let Some(dw) = dw {
                dw.launch(context)?;
            }
            context.launch(&name, geometry, 0, &call)
        })
    })
}

/// y [rows, cols] = (x - mean) · rstd · w [cols] + b [cols]; mean, rstd f32 [rows].
#[napi]
pub fn layer_norm(
    device: u32,
    y: u32,
    mean: u32,
    rstd: u32,
    x: u32,
    w: u32,
    b: u32,
    rows: f64,
    cols: f64,
    eps: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "layerNorm", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let y = address(args.output("y", y, &[rows, cols], dtype)?);
        let mean = address(args.output("mean", mean, &[rows], FloatDType::F32)?);
        let rstd = address(args.output("rstd", rstd, &[rows], FloatDType::F32)?);
        let x = address(args.input("x", x, &[rows, cols], dtype)?);
        let w = address(args.input("w", w, &[cols], dtype)?);
        let b = address(args.input("b", b, &[cols], dtype)?);
        let geometry = row_geometry(rows, cols, dtype)?;
        let name = format!("ift_layer_norm_{}", dtype.name());
        let (rows, cols, eps) = (rows as i64, narrow("cols", cols)?, eps as f32);
        let call = NormArgs { y, mean, rstd, x, w, b, rows, cols, eps };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}

/// dx [rows, cols] (+)=, dw and db f32 [cols] +=.
#[napi]
pub fn layer_norm_backward(
    device: u32,
    dx: u32,
    dw: Option<u32>,
    db: Option<u32>,
    dy: u32,
    x: u32,
    w: u32,
    mean: u32,
    rstd: u32,
    rows: f64,
    cols: f64,
    dtype: u32,
    accumulate: bool,
) -> Option<Failure> {
    kernel(device, "layerNormBackward", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let dx = args.output("dx", dx, &[rows, cols], dtype)?;
        let dw = dw.map(|dw| args.output("dw", dw, &[cols], FloatDType::F32)).transpose()?;
        let db = db.map(|db| args.output("db", db, &[cols], FloatDType::F32)).transpose()?;
        let dy = args.input("dy", dy, &[rows, cols], dtype)?;
        let x = args.input("x", x, &[rows, cols], dtype)?;
        let w = args.input("w", w, &[cols], dtype)?;
        let mean = args.input("mean", mean, &[rows], FloatDType::F32)?;
        let rstd = args.input("rstd", rstd, &[rows], FloatDType::F32)?;
        let term = Term::Normalised { dy, mean: Some(mean), rstd };
        let dw = dw.map(|dw| ColumnSums::new(args, dw, x, term, [rows, cols], dtype, true)).transpose()?;
        let db =
            db.map(|db| ColumnSums::new(args, db, dy, Term::Value, [rows, cols], dtype, true)).transpose()?;
        let geometry = row_geometry(rows, cols, dtype)?;
        let name = format!("ift_layer_norm_backward_{}", dtype.name());
        let call = NormBackwardArgs {
            dx: address(dx),
            dy: address(dy),
            x: address(x),
            w: address(w),
            mean: address(mean),
            rstd: address(rstd),
            rows: rows as i64,
            cols: narrow("cols", cols)?,
            accumulate: i32::from(accumulate),
        };
        Ok(move |context: &Context| {
            for sums in [dw, db].into_iter().flatten() {
                sums.launch(context)?;
            }
            context.launch(&name, geometry, 0, &call)
        })
    })
}

/// y f32 [rows] = Euclidean norm of each row of x [rows, cols].
#[napi]
pub fn row_norms(device: u32, y: u32, x: u32, rows: f64, cols: f64, dtype: u32) -> Option<Failure> {
    kernel(device, "rowNorms", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let y = address(args.output("y", y, &[rows], FloatDType::F32)?);
        let x = address(args.input("x", x, &[rows, cols], dtype)?);
        let geometry = row_geometry(rows, cols, dtype)?;
        let name = format!("ift_row_norms_{}", dtype.name());
        let call = RowNormArgs { y, x, rows: rows as i64, cols: narrow("cols", cols)?, unused: 0 };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}
