//! Weights in few bits: quantize.cu and quantized_product.cu. `QuantizedMatrix` in `@ift/tensor` gives the formats.

use ift_kernel_abi::{Code, DType, Error, FloatDType, Result, size};
use napi_derive::napi;

use crate::device::{Checked, address};
use crate::launch::{Context, args};
use crate::node::{Failure, kernel};
use crate::plan::geometry::{Geometry, elements, narrow, tiles};

/// Elements of an NF4 block, and blocks of a group.
const BLOCK: usize = 64;
const GROUP: usize = 256;
/// Weights a thread handles at a time: `kChunk` of quantize.cu.
const CHUNK: usize = 8;
/// Largest magnitudes of one partial sum: `kMeanPiece` of quantize.cu.
const MEAN_PIECE: usize = 4096;
/// Rows of x in a product.
const MOST: usize = 16;

args! {
    struct MatrixArgs {
        codes: u64,
        scales: u64,
        groups: u64,
        rows: i64,
        cols: i64,
    }
}

args! {
    struct QuantizeArgs {
        w: MatrixArgs,
        x: u64,
        largest: u64,
    }
}

args! {
    struct QuantizeScalesArgs {
        w: MatrixArgs,
        largest: u64,
        partial: u64,
        blocks: i64,
        parts: i64,
    }
}

args! {
    struct DequantizeArgs {
        w: MatrixArgs,
        y: u64,
    }
}

args! {
    struct ProductArgs {
        w: MatrixArgs,
        y: u64,
        x: u64,
        bias: u64,
        m: i32,
        out_dtype: i32,
        accumulate: i32,
        unused: i32,
    }
}

/// Handles of the parts of a matrix, as they come from JavaScript.
struct Parts {
    codes: u32,
    scales: u32,
    groups: Option<u32>,
    /// 0 for nf4, 1 for int8.
    format: u32,
    rows: usize,
    cols: usize,
}

/// A checked matrix.
#[derive(Clone, Copy)]
struct Matrix {
    args: MatrixArgs,
    nf4: bool,
    n: usize,
}

impl Matrix {
    /// The parts checked, for a kernel that writes them or only reads.
    fn of(args: &Checked<'_>, parts: &Parts, written: bool) -> Result<Self> {
        let &Parts { codes, scales, groups, format, rows, cols } = parts;
        let get = |name: &'static str, id, len, dtype: DType| {
            let part = if written {
                args.output(name, id, &[len], dtype)
            } else {
                args.input(name, id, &[len], dtype)
            };
            part.map(address)
        };
        let n = rows.checked_mul(cols);
        let n = n.ok_or_else(|| Error::new(Code::Argument, format!("[{rows}, {cols}] is no matrix")))?;
        let (codes, scales, groups) = match (format, groups) {
            (0, Some(groups)) => {
                let blocks = n.div_ceil(BLOCK);
                (
                    get("codes", codes, n.div_ceil(2), DType::U8)?,
                    get("scales", scales, blocks, DType::U8)?,
                    get("groups", groups, 1 + blocks.div_ceil(GROUP), DType::F32)?,
                )
            }
            (1, None) => (get("codes", codes, n, DType::U8)?, get("scales", scales, rows, DType::F32)?, 0),
            (0, None) => return Err(Error::new(Code::Argument, "groups expected a buffer for nf4")),
            (1, Some(_)) => return Err(Error::new(Code::Argument, "groups expected null for int8")),
            _ => return Err(Error::new(Code::Argument, format!("unknown format code {format}"))),
        };
        let args = MatrixArgs { codes, scales, groups, rows: rows as i64, cols: cols as i64 };
        Ok(Self { args, nf4: format == 0, n })
    }

    fn format(&self) -> &'static str {
        if self.nf4 { "nf4" } else { "int8" }
    }
}

/// Writes the parts of a matrix from x [rows, cols].
#[napi]
pub fn quantize(
    device: u32,
    codes: u32,
    scales: u32,
    groups: Option<u32>,
    format: u32,
    rows: f64,
    cols: f64,
    x: u32,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "quantize", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let w = Matrix::of(args, &Parts { codes, scales, groups, format, rows, cols }, true)?;
        let x = address(args.input("x", x, &[rows, cols], dtype)?);
        let name = format!("ift_quantize_{}_{}", w.format(), dtype.name());
        let blocks = w.n.div_ceil(BLOCK);
        let parts = blocks.div_ceil(MEAN_PIECE);
        let codes_geometry = if w.nf4 {
            elements(w.n, CHUNK)?
        } else {
            Geometry { grid: [narrow("rows", rows)? as u32, 1, 1], block: [256, 1, 1] }
        };
        let along = |count: usize| -> Result<Geometry> {
            Ok(Geometry { grid: [narrow("blocks", count)? as u32, 1, 1], block: [256, 1, 1] })
        };
        let (sum, mean, code) = (along(parts)?, along(1)?, along(blocks.div_ceil(GROUP))?);
        // The sums of parts come first: they are the wider type.
        let partial = if w.nf4 { address(args.scratch(8 * parts + 4 * blocks)?) } else { 0 };
        Ok(move |context: &Context| {
            if !w.nf4 {
                return context.launch(&name, codes_geometry, 0, &QuantizeArgs { w: w.args, x, largest: 0 });
            }
            let largest = partial + 8 * parts as u64;
            context.launch(&name, codes_geometry, 0, &QuantizeArgs { w: w.args, x, largest })?;
            let (blocks, parts) = (blocks as i64, parts as i64);
            let scales = QuantizeScalesArgs { w: w.args, largest, partial, blocks, parts };
            context.launch("ift_sum_largest", sum, 0, &scales)?;
            context.launch("ift_mean_largest", mean, 0, &scales)?;
            context.launch("ift_quantize_scales", code, 0, &scales)
        })
    })
}

/// y [rows, cols] = the values of a matrix.
#[napi]
pub fn dequantize(
    device: u32,
    y: u32,
    codes: u32,
    scales: u32,
    groups: Option<u32>,
    format: u32,
    rows: f64,
    cols: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "dequantize", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let w = Matrix::of(args, &Parts { codes, scales, groups, format, rows, cols }, false)?;
        let y = address(args.output("y", y, &[rows, cols], dtype)?);
        let name = format!("ift_dequantize_{}_{}", w.format(), dtype.name());
        let geometry = if w.nf4 { elements(w.n, 4 * CHUNK)? } else { tiles(rows, cols, CHUNK)? };
        let call = DequantizeArgs { w: w.args, y };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}

/// y [m, rows] = x [m, cols] · w^T (+ y) (+ bias [rows] on every row).
#[napi]
pub fn quantized_product(
    device: u32,
    y: u32,
    x: u32,
    codes: u32,
    scales: u32,
    groups: Option<u32>,
    bias: Option<u32>,
    format: u32,
    m: f64,
    rows: f64,
    cols: f64,
    accumulate: bool,
    dtype: u32,
    out_dtype: u32,
) -> Option<Failure> {
    kernel(device, "quantizedProduct", |args| {
        let (m, rows, cols) = (size("m", m)?, size("rows", rows)?, size("cols", cols)?);
        let (dtype, out_dtype) = (FloatDType::from_code(dtype)?, FloatDType::from_code(out_dtype)?);
        if !(1..=MOST).contains(&m) {
            return Err(Error::new(Code::Argument, format!("m expected 1 to {MOST}, found {m}")));
        }
        let w = Matrix::of(args, &Parts { codes, scales, groups, format, rows, cols }, false)?;
        let y = address(args.output("y", y, &[m, rows], out_dtype)?);
        let x = address(args.input("x", x, &[m, cols], dtype)?);
        let bias = bias.map(|bias| args.input("bias", bias, &[rows], dtype)).transpose()?;
        // Built for 1, 2, 4, 8 and 16 rows of x; eight warps of two rows of the weight each, or of one.
        let built = m.next_power_of_two();
        let rows_of_block = 8 * if built <= 2 { 2 } else { 1 };
        let grid = [narrow("rows", rows.div_ceil(rows_of_block))? as u32, 1, 1];
        let geometry = Geometry { grid, block: [32, 8, 1] };
        let name = format!("ift_{}_product_{built}_{}", w.format(), dtype.name());
        let call = ProductArgs {
            w: w.args,
            y,
            x,
            bias: bias.map_or(0, address),
            m: m as i32,
            out_dtype: out_dtype as i32,
            accumulate: i32::from(accumulate),
            unused: 0,
        };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}
