//! Adafactor: adafactor.cu.

use ift_kernel_abi::{Code, Error, FloatDType, product, size};
use napi_derive::napi;

use super::columns::{ColumnSums, Term};
use crate::device::address;
use crate::launch::{Context, args};
use crate::node::{Failure, kernel};
use crate::plan::geometry::{Geometry, elements, narrow, rows as row_geometry};

args! {
    struct AdafactorArgs {
        param: u64,
        master: u64,
        grad: u64,
        v: u64,
        column: u64,
        m: u64,
        grad_scale: u64,
        columns: u64,
        sizes: u64,
        totals: u64,
        rows: i64,
        lr: f64,
        clip_threshold: f64,
        weight_decay: f64,
        epsilon2: f64,
        cols: i32,
        beta1: f32,
        beta2: f32,
        rest1: f32,
        rest2: f32,
        epsilon1: f32,
        apart: i32,
        unused: i32,
    }
}

/// Bytes of `AdafactorTotals`.
const TOTALS: usize = 16;

/// param [rows, cols] of dtype; master (null when param is f32 and its own) and grad f32 [rows, cols]; v f32 [rows] and column
/// f32 [cols], or v f32 [rows, cols] without a column; m f32 [rows, cols] or null; gradScale f32 [1] or null. A scale of NaN
/// changes nothing.
#[napi]
pub fn adafactor(
    device: u32,
    param: u32,
    master: Option<u32>,
    grad: u32,
    v: u32,
    column: Option<u32>,
    m: Option<u32>,
    grad_scale: Option<u32>,
    rows: f64,
    cols: f64,
    lr: f64,
    beta1: f64,
    beta2: f64,
    epsilon1: f64,
    epsilon2: Option<f64>,
    clip_threshold: f64,
    weight_decay: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "adafactor", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        if master.is_none() && dtype != FloatDType::F32 {
            let message = format!("a parameter in {} needs a master in f32", dtype.name());
            return Err(Error::new(Code::Argument, message));
        }
        let (f32s, shape) = (FloatDType::F32, [rows, cols]);
        let param = address(args.output("param", param, &shape, dtype)?);
        let master = master.map(|master| args.output("master", master, &shape, f32s)).transpose()?;
        let grad = args.input("grad", grad, &shape, f32s)?;
        let v = address(args.output("v", v, if column.is_some() { &shape[..1] } else { &shape }, f32s)?);
        let column = column.map(|column| args.output("column", column, &[cols], f32s)).transpose()?;
        let m = m.map(|m| args.output("m", m, &shape, f32s)).transpose()?;
        let scale = grad_scale.map(|scale| args.input("gradScale", scale, &[1], f32s)).transpose()?;
        let columns = column.map(|_| args.scratch(product(&[4, cols])?)).transpose()?;
        let sums = columns
            .map(|columns| {
                ColumnSums::new(args, columns, grad, Term::Product { dy: grad }, shape, f32s, false)
            })
            .transpose()?;
        let call = AdafactorArgs {
            param,
            master: master.map_or(0, address),
            grad: address(grad),
            v,
            column: column.map_or(0, address),
            m: m.map_or(0, address),
            grad_scale: scale.map_or(0, address),
            columns: columns.map_or(0, address),
            sizes: address(args.scratch(product(&[8, rows])?)?),
            totals: address(args.scratch(TOTALS)?),
            rows: rows as i64,
            lr,
            clip_threshold,
            weight_decay,
            epsilon2: epsilon2.unwrap_or(-1.0),
            cols: narrow("cols", cols)?,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            rest1: (1.0 - beta1) as f32,
            rest2: (1.0 - beta2) as f32,
            epsilon1: epsilon1 as f32,
            apart: i32::from(master.is_some()),
            unused: 0,
        };
        let each_row = row_geometry(rows, cols, f32s)?;
        let one = Geometry { grid: [1, 1, 1], block: [256, 1, 1] };
        let mut each_column = elements(cols, 1)?;
        // The last block has the mean of the rows.
        each_column.grid[0] += 1;
        let name = format!("ift_adafactor_step_{}", dtype.name());
        Ok(move |context: &Context| {
            if rows * cols == 0 {
                return Ok(());
            }
            context.launch("ift_adafactor_moments", each_row, 0, &call)?;
            if let Some(sums) = sums {
                sums.launch(context)?;
                context.launch("ift_adafactor_roots", each_column, 0, &call)?;
            }
            context.launch("ift_adafactor_sizes", each_row, 0, &call)?;
            context.launch("ift_adafactor_totals", one, 0, &call)?;
            context.launch(&name, each_row, 0, &call)
        })
    })
}
