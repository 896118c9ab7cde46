//! RMSNorm (Zhang & Sennrich 2019, arXiv:1910.07467).

use std::ops::Range;

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

struct Forward<E> {
    y: *mut E,
    rstd: *mut f32,
    x: *const E,
    w: *const E,
    rows: Range<usize>,
    cols: usize,
    eps: f32,
}

impl<E: Element> Loop for Forward<E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let cols = self.cols;
        let (mut w, mut x) = (scratch::<f32>(cols), scratch::<f32>(cols));
        unsafe { row::load(&mut w, self.w) };
        for r in self.rows {
            unsafe { row::load(&mut x, self.x.add(r * cols)) };
            let rstd = 1.0 / (row::dot::<FMA>(&x, &x) / cols as f32 + self.eps).sqrt();
            for (x, w) in x.iter_mut().zip(&*w) {
                *x = *x * rstd * w;
            }
            unsafe {
                row::store(self.y.add(r * cols), &x);
                self.rstd.add(r).write(rstd);
            }
        }
    }
}

struct Backward<E> {
    dx: *mut E,
    dy: *const E,
    x: *const E,
    w: *const E,
    rstd: *const f32,
    rows: Range<usize>,
    cols: usize,
    accumulate: bool,
}

impl<E: Element> Loop for Backward<E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let cols = self.cols;
        let (mut w, mut x, mut g) = (scratch::<f32>(cols), scratch::<f32>(cols), scratch::<f32>(cols));
        unsafe { row::load(&mut w, self.w) };
        for r in self.rows {
            let rstd = unsafe { self.rstd.add(r).read() };
            unsafe {
                row::load(&mut x, self.x.add(r * cols));
                row::load(&mut g, self.dy.add(r * cols));
            }
            for (g, w) in g.iter_mut().zip(&*w) {
                *g *= w;
            }
            let slope = -row::dot::<FMA>(&g, &x) / cols as f32 * rstd * rstd;
            for (g, x) in g.iter_mut().zip(&*x) {
                *g = rstd * mul_add::<FMA>(slope, *x, *g);
            }
            unsafe { row::store_onto(self.dx.add(r * cols), &g, self.accumulate) };
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
            context.pool.ranges(rows, row::grain(cols), |rows| {
                with_element!(dtype, E => unsafe {
                    let (y, rstd, x, w) = (y.of(), rstd.of(), x.of(), w.of());
                    vectorised(context.isa, Forward::<E> { y, rstd, x, w, rows, cols, eps })
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
            with_element!(dtype, E => unsafe {
                if let Some(dw) = dw {
                    let term = Normalised { mean: None, rstd };
                    sum_over_rows::<E, 2>(context, dw, [dy, x], term, rows, cols, true);
                }
                context.pool.ranges(rows, row::grain(cols), |rows| {
                    let (dx, dy, x, w, rstd) = (dx.of(), dy.of(), x.of(), w.of(), rstd.of());
                    let backward = Backward::<E> { dx, dy, x, w, rstd, rows, cols, accumulate };
                    vectorised(context.isa, backward);
                });
            });
            Ok(())
        })
    })
}
