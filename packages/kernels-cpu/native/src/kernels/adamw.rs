//! AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), one pass over parameter, gradient and moments.

use std::ops::Range;

use ift_kernel_abi::{Code, Error, FloatDType, size};
use napi_derive::napi;

use crate::element::Element;
use crate::isa::{Loop, mul_add, vectorised};
use crate::node::{Failure, kernel};
use crate::queue::Context;
use crate::with_element;

const BLOCK: usize = 256;

#[derive(Clone, Copy)]
struct Rates {
    /// 1 - lr · weightDecay.
    keep: f32,
    /// lr / (1 - beta1^step).
    rate: f32,
    /// 1 / sqrt(1 - beta2^step).
    correction: f32,
    beta1: f32,
    beta2: f32,
    /// 1 - beta1 and 1 - beta2, rounded once.
    rest1: f32,
    rest2: f32,
    eps: f32,
}

struct Step<E> {
    param: *mut E,
    master: *mut f32,
    /// The parameter is stored apart from its master.
    apart: bool,
    grad: *const f32,
    m: *mut f32,
    v: *mut f32,
    range: Range<usize>,
    scale: f32,
    rates: Rates,
}

impl<E: Element> Loop for Step<E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let Rates { keep, rate, correction, beta1, beta2, rest1, rest2, eps } = self.rates;
        for at in self.range.clone().step_by(BLOCK) {
            let len = BLOCK.min(self.range.end - at);
            let (w, g, m, v) = unsafe {
                (
                    std::slice::from_raw_parts_mut(self.master.add(at), len),
                    std::slice::from_raw_parts(self.grad.add(at), len),
                    std::slice::from_raw_parts_mut(self.m.add(at), len),
                    std::slice::from_raw_parts_mut(self.v.add(at), len),
                )
            };
            for i in 0..len {
                let g = g[i] * self.scale;
                m[i] = mul_add::<FMA>(beta1, m[i], rest1 * g);
                v[i] = mul_add::<FMA>(beta2, v[i], rest2 * g * g);
                let step = rate * m[i] / mul_add::<FMA>(v[i].sqrt(), correction, eps);
                w[i] = mul_add::<FMA>(keep, w[i], -step);
            }
            if self.apart {
                for (i, w) in w.iter().enumerate() {
                    unsafe { self.param.add(at + i).write(E::store(*w)) };
                }
            }
        }
    }
}

/// param [n] of dtype; master (null when param is f32 and its own), grad, m, v f32 [n]; gradScale f32 [1] or null.
#[napi]
pub fn adamw(
    device: u32,
    param: u32,
    master: Option<u32>,
    grad: u32,
    m: u32,
    v: u32,
    grad_scale: Option<u32>,
    n: f64,
    lr: f64,
    beta1: f64,
    beta2: f64,
    eps: f64,
    weight_decay: f64,
    step: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "adamw", |args| {
        let (n, dtype) = (size("n", n)?, FloatDType::from_code(dtype)?);
        if step < 1.0 {
            return Err(Error::new(Code::Argument, format!("step is {step}, steps count from 1")));
        }
        if master.is_none() && dtype != FloatDType::F32 {
            let message = format!("a parameter in {} needs a master in f32", dtype.name());
            return Err(Error::new(Code::Argument, message));
        }
        let param = args.output("param", param, &[n], dtype)?;
        let apart = master.is_some();
        let master = match master {
            Some(master) => args.output("master", master, &[n], FloatDType::F32)?,
            None => param,
        };
        let grad = args.input("grad", grad, &[n], FloatDType::F32)?;
        let m = args.output("m", m, &[n], FloatDType::F32)?;
        let v = args.output("v", v, &[n], FloatDType::F32)?;
        let scale =
            grad_scale.map(|scale| args.input("gradScale", scale, &[1], FloatDType::F32)).transpose()?;
        let rates = Rates {
            keep: (1.0 - lr * weight_decay) as f32,
            rate: (lr / (1.0 - beta1.powf(step))) as f32,
            correction: (1.0 / (1.0 - beta2.powf(step)).sqrt()) as f32,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            rest1: (1.0 - beta1) as f32,
            rest2: (1.0 - beta2) as f32,
            eps: eps as f32,
        };
        Ok(move |context: &Context| {
            let scale = scale.map_or(1.0, |scale| unsafe { *scale.of::<f32>() });
            context.pool.ranges(n, 16 * BLOCK, |range| {
                with_element!(dtype, E => unsafe {
                    let (param, master, grad) = (param.of(), master.of(), grad.of());
                    let (m, v) = (m.of(), v.of());
                    let step = Step::<E> { param, master, apart, grad, m, v, range, scale, rates };
                    vectorised(context.isa, step)
                });
            });
            Ok(())
        })
    })
}
