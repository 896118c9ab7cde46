//! RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467).

use ift_kernel_abi::{FloatDType, size};
use napi_derive::napi;

use super::columns::{Normalised, sum_over_rows};
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
    rstd: &'a mut [f32],
    x: &'a [E],
    w: &'a [E],
    eps: f32,
}

impl<E: Element> Loop for Forward<'_, E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let cols = self.w.len();
        let (mut w, mut x) = (scratch::<f32>(cols), scratch::<f32>(cols));
        row::load(&mut w, self.w);
        for (r, to) in self.rstd.iter_mut().enumerate() {
            let row = r * cols..(r + 1) * cols;
            row::load(&mut x, &self.x[row.clone()]);
            let rstd = 1.0 / (row::dot::<FMA>(&x, &x) / cols as f32 + self.eps).sqrt();
            for (x, w) in x.iter_mut().zip(&*w) {
                *x = *x * rstd * w;
            }
            row::store(&mut self.y[row], &x);
            *to = rstd;
        }
    }
}

/// Some rows.
struct Backward<'a, E> {
    dx: &'a mut [E],
    dy: &'a [E],
    x: &'a [E],
    w: &'a [E],
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
        for (r, &rstd) in self.rstd.iter().enumerate() {
            let row = r * cols..(r + 1) * cols;
            row::load(&mut x, &self.x[row.clone()]);
            row::load(&mut g, &self.dy[row.clone()]);
            for (g, w) in g.iter_mut().zip(&*w) {
                *g *= w;
            }
            let slope = -row::dot::<FMA>(&g, &x) / cols as f32 * rstd * rstd;
            for (g, x) in g.iter_mut().zip(&*x) {
                *g = rstd * mul_add::<FMA>(slope, *x, *g);
            }
            row::store_onto(&mut self.dx[row], &g, self.accumulate);
        }
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
        let y = args.output("y", y, &[rows, cols], dtype)?;
        let rstd = args.output("rstd", rstd, &[rows], FloatDType::F32)?;
        let x = args.input("x", x, &[rows, cols], dtype)?;
        let w = args.input("w", w, &[cols], dtype)?;
        let eps = eps as f32;
        Ok(move |context: &Context| {
            with_element!(dtype, E => {
                let (x, w) = (x.slice::<E>(context), w.slice(context));
                context.pool.ranges(rows, row::grain(cols), |rows| {
                    let span = row::span(&rows, cols);
                    let x = &x[span.clone()];
                    // SAFETY: outputs of the kernel; other threads have other rows. The context's instruction set was detected.
                    unsafe {
                        let (y, rstd) = (y.part(context, span), rstd.part(context, rows));
                        vectorised(context.isa, Forward { y, rstd, x, w, eps });
                    }
                });
            });
            Ok(())
        })
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
        Ok(move |context: &Context| {
            with_element!(dtype, E => {
                let (dy, x, w) = (dy.slice::<E>(context), x.slice(context), w.slice(context));
                let rstd = rstd.slice(context);
                if let Some(dw) = dw {
                    sum_over_rows(context, dw, [dy, x], Normalised { mean: None, rstd }, rows, cols, true);
                }
                context.pool.ranges(rows, row::grain(cols), |rows| {
                    let span = row::span(&rows, cols);
                    let (dy, x, rstd) = (&dy[span.clone()], &x[span.clone()], &rstd[rows]);
                    // SAFETY: an output of the kernel; other threads have other rows. The context's instruction set was detected.
                    unsafe {
                        let dx = dx.part(context, span);
                        vectorised(context.isa, Backward { dx, dy, x, w, rstd, accumulate });
                    }
                });
            });
            Ok(())
        })
    })
}
