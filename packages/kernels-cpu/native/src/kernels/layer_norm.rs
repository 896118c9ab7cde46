//! Layer normalisation (Ba et al. 2016, arXiv:1607.06450).

use ift_kernel_abi::{FloatDType, size};
use napi_derive::napi;

use super::columns::{Normalised, Value, sum_over_rows};
use crate::element::Element;
use crate::isa::{Loop, mul_add, vectorised};
use crate::node::{Failure, kernel};
use crate::pool::scratch;
use crate::queue::Context;
use crate::row;
use crate::with_element;

/// Some rows.
struct Forward<'a, E> {
    y: &'a mut [E],
    mean: &'a mut [f32],
    rstd: &'a mut [f32],
    x: &'a [E],
    w: &'a [E],
    b: &'a [E],
    eps: f32,
}

impl<E: Element> Loop for Forward<'_, E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let cols = self.w.len();
        let (mut w, mut b, mut x) = (scratch::<f32>(cols), scratch::<f32>(cols), scratch::<f32>(cols));
        row::load(&mut w, self.w);
        row::load(&mut b, self.b);
        for (r, (to_mean, to_rstd)) in self.mean.iter_mut().zip(self.rstd).enumerate() {
            let row = r * cols..(r + 1) * cols;
            row::load(&mut x, &self.x[row.clone()]);
            let mean = row::sum(&x) / cols as f32;
            for x in x.iter_mut() {
                *x -= mean;
            }
            let rstd = 1.0 / (row::dot::<FMA>(&x, &x) / cols as f32 + self.eps).sqrt();
            for (x, (w, b)) in x.iter_mut().zip(w.iter().zip(&*b)) {
                *x = mul_add::<FMA>(*x * rstd, *w, *b);
            }
            row::store(&mut self.y[row], &x);
            (*to_mean, *to_rstd) = (mean, rstd);
        }
    }
}

/// Some rows.
struct Backward<'a, E> {
    dx: &'a mut [E],
    dy: &'a [E],
    x: &'a [E],
    w: &'a [E],
    mean: &'a [f32],
    rstd: &'a [f32],
    accumulate: bool,
}

impl<E: Element> Loop for Backward<'_, E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let cols = self.w.len();
        let (mut w, mut x, mut g) = (scratch::<f32>(cols), scratch::<f32>(cols), scratch::<f32>(cols));
        row::load(&mut w, self.w);
        for (r, (&mean, &rstd)) in self.mean.iter().zip(self.rstd).enumerate() {
            let row = r * cols..(r + 1) * cols;
            row::load(&mut x, &self.x[row.clone()]);
            row::load(&mut g, &self.dy[row.clone()]);
            for (g, w) in g.iter_mut().zip(&*w) {
                *g *= w;
            }
            for x in x.iter_mut() {
                *x = (*x - mean) * rstd;
            }
            let slope = -row::dot::<FMA>(&g, &x) / cols as f32;
            let shift = row::sum(&g) / cols as f32;
            for (g, x) in g.iter_mut().zip(&*x) {
                *g = rstd * (mul_add::<FMA>(slope, *x, *g) - shift);
            }
            row::store_onto(&mut self.dx[row], &g, self.accumulate);
        }
    }
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
        let y = args.output("y", y, &[rows, cols], dtype)?;
        let mean = args.output("mean", mean, &[rows], FloatDType::F32)?;
        let rstd = args.output("rstd", rstd, &[rows], FloatDType::F32)?;
        let x = args.input("x", x, &[rows, cols], dtype)?;
        let w = args.input("w", w, &[cols], dtype)?;
        let b = args.input("b", b, &[cols], dtype)?;
        let eps = eps as f32;
        Ok(move |context: &Context| {
            with_element!(dtype, E => {
                let (x, w, b) = (x.slice::<E>(context), w.slice(context), b.slice(context));
                context.pool.ranges(rows, row::grain(cols), |rows| {
                    let span = row::span(&rows, cols);
                    let x = &x[span.clone()];
                    // SAFETY: outputs of the kernel; other threads have other rows. The context's instruction set was detected.
                    unsafe {
                        let (mean, rstd) = (mean.part(context, rows.clone()), rstd.part(context, rows));
                        let y = y.part(context, span);
                        vectorised(context.isa, Forward { y, mean, rstd, x, w, b, eps });
                    }
                });
            });
            Ok(())
        })
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
        Ok(move |context: &Context| {
            with_element!(dtype, E => {
                let (dy, x, w) = (dy.slice::<E>(context), x.slice(context), w.slice(context));
                let (mean, rstd) = (mean.slice(context), rstd.slice(context));
                if let Some(dw) = dw {
                    let term = Normalised { mean: Some(mean), rstd };
                    sum_over_rows(context, dw, [dy, x], term, rows, cols, true);
                }
                if let Some(db) = db {
                    sum_over_rows(context, db, [dy], Value, rows, cols, true);
                }
                context.pool.ranges(rows, row::grain(cols), |rows| {
                    let span = row::span(&rows, cols);
                    let (dy, x) = (&dy[span.clone()], &x[span.clone()]);
                    let (mean, rstd) = (&mean[rows.clone()], &rstd[rows]);
                    // SAFETY: an output of the kernel; other threads have other rows. The context's instruction set was detected.
                    unsafe {
                        let dx = dx.part(context, span);
                        vectorised(context.isa, Backward { dx, dy, x, w, mean, rstd, accumulate });
                    }
                });
            });
            Ok(())
        })
    })
}
