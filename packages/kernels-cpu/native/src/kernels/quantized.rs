//! Quantised weights.

use ift_kernel_abi::{Code, DType, Error, FloatDType, size};
use napi_derive::napi;

use super::rows::check;
use crate::gemm::store::Output;
use crate::node::{Failure, kernel};
use crate::quantized::{Matrix, Parts, decode, encode, gguf, name, product};
use crate::queue::Context;
use crate::row;
use crate::with_element;

/// Most rows of x in a product, but where rows are invariant: of more, w is written out, and multiplied as the processor does it
/// fastest.
const MOST: usize = 32;

/// Writes the parts of a matrix from x [rows, cols].
#[napi]
pub fn quantize(
    device: u32,
    codes: u32,
    scales: Option<u32>,
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
        let x = args.input("x", x, &[rows, cols], dtype)?;
        Ok(move |context: &Context| {
            // SAFETY: the parts were checked as outputs and overlap nothing; the context's instruction set was detected.
            with_element!(dtype, E => unsafe {
                encode::quantize::<E>(&context.pool, context.isa, w, x.slice(context));
            });
            Ok(())
        })
    })
}

/// y [rows, cols] = the values of a matrix.
#[napi]
pub fn dequantize(
    device: u32,
    y: u32,
    codes: u32,
    scales: Option<u32>,
    groups: Option<u32>,
    format: u32,
    rows: f64,
    cols: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "dequantize", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let w = Matrix::of(args, &Parts { codes, scales, groups, format, rows, cols }, false)?;
        let y = args.output("y", y, &[rows, cols], dtype)?;
        Ok(move |context: &Context| {
            // SAFETY: y and the parts were checked for the matrix, and y overlaps none of them; the context's instruction set was
            // detected.
            with_element!(dtype, E => unsafe { decode::dequantize::<E>(&context.pool, context.isa, w, y.of()) });
            Ok(())
        })
    })
}

/// y [count, cols] = the values of a matrix of blocks at rows ids i32 [count].
#[napi]
pub fn quantized_rows(
    device: u32,
    y: u32,
    codes: u32,
    ids: u32,
    format: u32,
    count: f64,
    rows: f64,
    cols: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "quantizedRows", |args| {
        let (rows, cols, dtype) = (size("rows", rows)?, size("cols", cols)?, FloatDType::from_code(dtype)?);
        let count = size("count", count)?;
        let parts = Parts { codes, scales: None, groups: None, format, rows, cols };
        let Matrix::Gguf(w) = Matrix::of(args, &parts, false)? else {
            return Err(Error::new(Code::Argument, format!("{} has no rows of its own", name(format))));
        };
        let y = args.output("y", y, &[count, cols], dtype)?;
        let ids = args.input("ids", ids, &[count], DType::I32)?;
        Ok(move |context: &Context| {
            let ids = ids.slice::<i32>(context);
            check(ids, rows)?;
            context.pool.ranges(count, row::grain(cols), |range| {
                for at in range {
                    let id = ids[at] as usize;
                    // SAFETY: a row of w, and an output of the kernel, of which other threads have other rows; the context's
                    // instruction set was detected.
                    with_element!(dtype, E => unsafe {
                        gguf::decode::<E>(context.isa, w, y.of::<E>().add(at * cols), id..id + 1);
                    });
                }
            });
            Ok(())
        })
    })
}

/// y [m, rows] = x [m, cols] · w^T (+ y) (+ bias [rows] on every row).
#[napi]
pub fn quantized_product(
    device: u32,
    y: u32,
    x: u32,
    codes: u32,
    scales: Option<u32>,
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
        let most = if args.invariant_rows { usize::MAX } else { MOST };
        if !(1..=most).contains(&m) {
            return Err(Error::new(Code::Argument, format!("m expected 1 to {MOST}, found {m}")));
        }
        let w = Matrix::of(args, &Parts { codes, scales, groups, format, rows, cols }, false)?;
        let y = args.output("y", y, &[m, rows], out_dtype)?;
        let x = args.input("x", x, &[m, cols], dtype)?;
        let bias = bias.map(|bias| args.input("bias", bias, &[rows], dtype)).transpose()?;
        Ok(move |context: &Context| {
            context.profile.detail(|| {
                let (format, add) = (name(format), if accumulate { "+" } else { "" });
                format!("{m}x{rows}x{cols} {format} {} -> {add}{}", dtype.name(), out_dtype.name())
            });
            let out = Output {
                at: y.of(),
                ld: rows,
                transposed: false,
                dtype: out_dtype,
                alpha: 1.0,
                add: accumulate,
                bias: bias.map_or(std::ptr::null(), |bias| bias.of::<u8>()),
                bias_dtype: dtype,
            };
            // SAFETY: the operands were checked for the product, and y overlaps none of them; the context's instruction set was
            // detected.
            with_element!(dtype, E => unsafe {
                product::product::<E>(context, &out, x.of(), w, (m, rows, cols));
            });
            Ok(())
        })
    })
}
