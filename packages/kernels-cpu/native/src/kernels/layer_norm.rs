//! Layer normalisation (Ba et al. 2016, arXiv:1607.06450).

use std::ops::Range;

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

struct Forward<E> {
    y: *mut E,
    mean: *mut f32,
    rstd: *mut f32,
    x: *const E,
    w: *const E,
    b: *const E,
    rows: Range<usize>,
    cols: usize,
    eps: f32,
}

impl<E: Element> Loop for Forward<E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let cols = self.cols;
        let (mut w, mut b, mut x) = (scratch::<f32>(cols), scratch::<f32>(cols), scratch::<f32>(cols));
        unsafe {
            row::load(&mut w, self.w);
            row::load(&mut b, self.b);
        }
        for r in self.rows {
            unsafe { row::load(&mut x, self.x.add(r * cols)) };
            let mean = row::sum(&x) / cols as f32;
            for x in x.iter_mut() {
                *x -= mean;
            }
            let rstd = 1.0 / (row::dot::<FMA>(&x, &x) / cols as f32 + self.eps).sqrt();
            for (x, (w, b)) in x.iter_mut().zip(w.iter().zip(&*b)) {
                *x = mul_add::<FMA>(*x * rstd, *w, *b);
            }
            unsafe {
                row::store(self.y.add(r * cols), &x);
                self.mean.add(r).write(mean);
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
    mean: *const f32,
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
            let (mean, rstd) = unsafe { (self.mean.add(r).read(), self.rstd.add(r).read()) };
            unsafe {
                row::load(&mut x, self.x.add(r * cols));
                row::load(&mut g, self.dy.add(r * cols));
            }
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
            unsafe { row::store_onto(self.dx.add(r * cols), &g, self.accumulate) };
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
            context.pool.ranges(rows, row::grain(cols), |rows| {
                with_element!(dtype, E => unsafe {
                    let (y, mean, rstd, x, w, b) = (y.of(), mean.of(), rstd.of(), x.of(), w.of(), b.of());
                    vectorised(context.isa, Forward::<E> { y, mean, rstd, x, w, b, rows, cols, eps })
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
            with_element!(dtype, E => unsafe {
                if let Some(dw) = dw {
                    let term = Normalised { mean: Some(mean), rstd };
                    sum_over_rows::<E, 2>(context, dw, [dy, x], term, rows, cols, true);
                }
                if let Some(db) = db {
                    sum_over_rows::<E, 1>(context, db, [dy], Value, rows, cols, true);
                }
                context.pool.ranges(rows, row::grain(cols), |rows| {
                    let (dx, dy, x, w) = (dx.of(), dy.of(), x.of(), w.of());
                    let (mean, rstd) = (mean.of(), rstd.of());
                    let backward = Backward::<E> { dx, dy, x, w, mean, rstd, rows, cols, accumulate };
                    vectorised(context.isa, backward);
                });
            });
            Ok(())
        })
    })
}
