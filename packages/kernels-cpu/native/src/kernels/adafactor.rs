//! Adafactor (Shazeer & Stern 2018, arXiv:1804.04235): two passes over the gradient for the second moment and for the size of
//! the update, one that moves the parameter.

use ift_kernel_abi::{Code, Error, FloatDType, size};
use napi_derive::napi;

use crate::element::Element;
use crate::isa::{Loop, mul_add, vectorised};
use crate::memory::{Input, Ptr};
use crate::node::{Failure, kernel};
use crate::pool::scratch;
use crate::queue::Context;
use crate::row;
use crate::with_element;

/// Elements that are summed in f32; the sums of such pieces are added in f64.
const PIECE: usize = 1024;
/// Shares of the rows at most, each of which sums columns into memory of its own. What is a share does not depend on the
/// number of threads, and so neither does the order of additions.
const SHARES: usize = 64;

#[derive(Clone, Copy)]
struct Rates {
    lr: f64,
    beta1: f32,
    beta2: f32,
    /// 1 - beta1 and 1 - beta2, rounded once.
    rest1: f32,
    rest2: f32,
    epsilon1: f32,
    epsilon2: Option<f64>,
    clip_threshold: f64,
    weight_decay: f64,
}

/// What the update divides a gradient by: the second moment of some rows.
#[derive(Clone, Copy)]
enum Second<'a> {
    /// Mean squares of the rows, 1 / sqrt of those of the columns, and the mean over all rows.
    Factored { rows: &'a [f32], columns: &'a [f32], mean: f64 },
    /// Of every element.
    Whole(&'a [f32]),
}

/// Gradients of some rows of `cols` elements.
#[derive(Clone, Copy)]
struct Rows<'a> {
    grad: &'a [f32],
    cols: usize,
    scale: f32,
    second: Second<'a>,
}

impl Rows<'_> {
    /// The update of elements from column `first` of row r before its scaling.
    #[inline(always)]
    fn update(&self, r: usize, first: usize, u: &mut [f32]) {
        let at = r * self.cols + first;
        let grad = &self.grad[at..at + u.len()];
        match self.second {
            Second::Factored { rows, columns, mean } => {
                let row = (mean / f64::from(rows[r])).sqrt() as f32;
                let columns = &columns[first..first + u.len()];
                // In this order a gradient of 0 ends the product where the roots of zeros would overflow.
                for i in 0..u.len() {
                    u[i] = grad[i] * self.scale * row * columns[i];
                }
            }
            Second::Whole(v) => {
                let v = &v[at..at + u.len()];
                for i in 0..u.len() {
                    u[i] = grad[i] * self.scale / v[i].sqrt();
                }
            }
        }
    }
}

/// The second moment of every element.
struct Moments<'a> {
    grad: &'a [f32],
    v: &'a mut [f32],
    scale: f32,
    rates: Rates,
}

impl Loop for Moments<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let Rates { beta2, rest2, epsilon1, .. } = self.rates;
        for (v, grad) in self.v.iter_mut().zip(self.grad) {
            let g = grad * self.scale;
            *v = mul_add::<FMA>(beta2, *v, rest2 * mul_add::<FMA>(g, g, epsilon1));
        }
    }
}

/// Mean squares of rows, and the sums of squares of their columns.
struct RowMoments<'a> {
    grad: &'a [f32],
    cols: usize,
    rows: &'a mut [f32],
    sums: &'a mut [f32],
    scale: f32,
    rates: Rates,
}

impl Loop for RowMoments<'_> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let Rates { beta2, rest2, epsilon1, .. } = self.rates;
        self.sums.fill(0.0);
        let mut squares = [0.0f32; PIECE];
        for (row, grad) in self.rows.iter_mut().zip(self.grad.chunks(self.cols)) {
            let mut total = 0.0;
            for (grad, sums) in grad.chunks(PIECE).zip(self.sums.chunks_mut(PIECE)) {
                let squares = &mut squares[..grad.len()];
                for i in 0..grad.len() {
                    let g = grad[i] * self.scale;
                    squares[i] = mul_add::<FMA>(g, g, epsilon1);
                    sums[i] += squares[i];
                }
                total += f64::from(row::sum(squares));
            }
            *row = mul_add::<FMA>(beta2, *row, rest2 * (total / self.cols as f64) as f32);
        }
    }
}

/// Sums of squares of the update and of the parameter, the second where the rate depends on it.
struct Sizes<'a> {
    of: Rows<'a>,
    values: &'a [f32],
    rates: Rates,
}

impl Loop for Sizes<'_> {
    type Out = [f64; 2];

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) -> [f64; 2] {
        let mut u = [0.0f32; PIECE];
        let mut sizes = [0.0; 2];
        for (r, values) in self.values.chunks(self.of.cols).enumerate() {
            for (piece, values) in values.chunks(PIECE).enumerate() {
                let u = &mut u[..values.len()];
                self.of.update(r, piece * PIECE, u);
                sizes[0] += f64::from(row::dot::<FMA>(u, u));
                if self.rates.epsilon2.is_some() {
                    sizes[1] += f64::from(row::dot::<FMA>(values, values));
                }
            }
        }
        sizes
    }
}

/// Moves some rows; the parameter's where it is not its own master.
struct Step<'a, E> {
    of: Rows<'a>,
    param: Option<&'a mut [E]>,
    master: &'a mut [f32],
    m: Option<&'a mut [f32]>,
    rates: Rates,
    /// 1 - lr · weightDecay, and what the update is multiplied by.
    keep: f32,
    rate: f32,
}

impl<E: Element> Loop for Step<'_, E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(mut self) {
        let (cols, Rates { beta1, rest1, lr, .. }) = (self.of.cols, self.rates);
        let mut u = [0.0f32; PIECE];
        for (r, values) in self.master.chunks_mut(cols).enumerate() {
            for (piece, values) in values.chunks_mut(PIECE).enumerate() {
                let (first, len) = (piece * PIECE, values.len());
                let at = r * cols + first;
                let u = &mut u[..len];
                self.of.update(r, first, u);
                for u in u.iter_mut() {
                    *u *= self.rate;
                }
                if let Some(m) = &mut self.m {
                    let m = &mut m[at..at + len];
                    for i in 0..len {
                        m[i] = mul_add::<FMA>(beta1, m[i], rest1 * u[i]);
                        u[i] = m[i];
                    }
                }
                // The first moment has rates of earlier steps in it.
                if lr == 0.0 {
                    continue;
                }
                for i in 0..len {
                    values[i] = mul_add::<FMA>(self.keep, values[i], -u[i]);
                }
                if let Some(param) = &mut self.param {
                    row::store(&mut param[at..at + len], values);
                }
            }
        }
    }
}

/// The matrix and its operands, all f32 besides `param`.
#[derive(Clone, Copy)]
struct Matrix {
    rows: usize,
    cols: usize,
    /// None where the parameter is its own master.
    param: Option<Ptr>,
    master: Ptr,
    grad: Input,
    /// [rows], or [rows, cols] without a column.
    v: Ptr,
    column: Option<Ptr>,
    m: Option<Ptr>,
    scale: f32,
    rates: Rates,
}

/// Sums of squares of the columns, of each share in a row of its own, become mean squares in `column` and their 1 / sqrt.
fn column_roots(context: &Context, of: Matrix, column: Ptr, sums: &[f32], roots: &mut [f32]) {
    let Matrix { rows, cols, rates, .. } = of;
    let roots = Ptr::to(roots);
    context.pool.ranges(cols, PIECE, |range| {
        // SAFETY: an output of the kernel and memory of its own; other threads have other columns.
        let (column, roots) = unsafe {
            (column.part::<f32>(context, range.clone()), roots.part::<f32>(context, range.clone()))
        };
        for (c, (value, root)) in range.zip(column.iter_mut().zip(roots)) {
            let total: f64 = sums.iter().skip(c).step_by(cols).map(|sum| f64::from(*sum)).sum();
            *value = rates.beta2 * *value + rates.rest2 * (total / rows as f64) as f32;
            *root = 1.0 / value.sqrt();
        }
    });
}

fn step(context: &Context, of: Matrix, dtype: FloatDType) {
    let Matrix { rows, cols, param, master, v, column, m, scale, rates, .. } = of;
    let grad = of.grad.slice::<f32>(context);
    let size = row::grain(cols).max(rows.div_ceil(SHARES));
    let shares = rows.div_ceil(size);
    let rows_of = |share: usize| share * size..((share + 1) * size).min(rows);
    let elements_of = |share: usize| rows_of(share).start * cols..rows_of(share).end * cols;
    let width = if column.is_some() { cols } else { 0 };
    let mut sums = scratch::<f32>(shares * width);
    let places = Ptr::to(&mut sums);
    context.pool.run(shares, &|share| {
        let grad = &grad[elements_of(share)];
        // SAFETY: an output of the kernel and memory of its own; other threads have other shares. The context's instruction set
        // was detected.
        unsafe {
            if column.is_some() {
                let rows = v.part(context, rows_of(share));
                let sums = places.part(context, share * width..(share + 1) * width);
                vectorised(context.isa, RowMoments { grad, cols, rows, sums, scale, rates });
            } else {
                let v = v.part(context, elements_of(share));
                vectorised(context.isa, Moments { grad, v, scale, rates });
            }
        }
    });
    let mut columns = scratch::<f32>(width);
    if let Some(column) = column {
        column_roots(context, of, column, &sums, &mut columns);
    }
    // SAFETY: the moments are written; from here on they are only read.
    let v: &[f32] = unsafe { v.all(context) };
    let mean = v.iter().take(rows).map(|value| f64::from(*value)).sum::<f64>() / rows as f64;
    let share_of = |share: usize| {
        let second = match column {
            Some(_) => Second::Factored { rows: &v[rows_of(share)], columns: &columns, mean },
            None => Second::Whole(&v[elements_of(share)]),
        };
        Rows { grad: &grad[elements_of(share)], cols, scale, second }
    };
    let mut sizes = scratch::<f64>(2 * shares);
    let places = Ptr::to(&mut sizes);
    context.pool.run(shares, &|share| {
        // SAFETY: as above; the parameter is only read here.
        unsafe {
            let values = master.part(context, elements_of(share));
            let found = vectorised(context.isa, Sizes { of: share_of(share), values, rates });
            places.part(context, 2 * share..2 * share + 2).copy_from_slice(&found);
        }
    });
    let count = (rows * cols) as f64;
    let root_mean = |at: usize| (sizes.iter().skip(at).step_by(2).sum::<f64>() / count).sqrt();
    let lr = rates.lr * rates.epsilon2.map_or(1.0, |least| root_mean(1).max(least));
    let rate = (lr / (root_mean(0) / rates.clip_threshold).max(1.0)) as f32;
    let keep = (1.0 - lr * rates.weight_decay) as f32;
    context.pool.run(shares, &|share| {
        let (of, range) = (share_of(share), elements_of(share));
        // SAFETY: outputs of the kernel, which do not overlap; other threads have other shares. The context's instruction set was
        // detected.
        with_element!(dtype, E => unsafe {
            let param = param.map(|param| param.part::<E>(context, range.clone()));
            let m = m.map(|m| m.part(context, range.clone()));
            let master = master.part(context, range);
            vectorised(context.isa, Step { of, param, master, m, rates, keep, rate })
        });
    });
}

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
        let f32s = FloatDType::F32;
        let param = args.output("param", param, &[rows, cols], dtype)?;
        let (param, master) = match master {
            Some(master) => (Some(param), args.output("master", master, &[rows, cols], f32s)?),
            None => (None, param),
        };
        let grad = args.input("grad", grad, &[rows, cols], f32s)?;
        let v = match column {
            Some(_) => args.output("v", v, &[rows], f32s)?,
            None => args.output("v", v, &[rows, cols], f32s)?,
        };
        let column = column.map(|column| args.output("column", column, &[cols], f32s)).transpose()?;
        let m = m.map(|m| args.output("m", m, &[rows, cols], f32s)).transpose()?;
        let scale = grad_scale.map(|scale| args.input("gradScale", scale, &[1], f32s)).transpose()?;
        let rates = Rates {
            lr,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            rest1: (1.0 - beta1) as f32,
            rest2: (1.0 - beta2) as f32,
            epsilon1: epsilon1 as f32,
            epsilon2,
            clip_threshold,
            weight_decay,
        };
        Ok(move |context: &Context| {
            let scale = scale.map_or(1.0, |scale| scale.slice::<f32>(context)[0]);
            if rows * cols > 0 && !scale.is_nan() {
                let of = Matrix { rows, cols, param, master, grad, v, column, m, scale, rates };
                step(context, of, dtype);
            }
            Ok(())
        })
    })
}
