//! AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101), one pass over parameter, gradient and moments.

use ift_kernel_abi::{Code, Error, FloatDType, size};
use napi_derive::napi;

use crate::element::Element;
use crate::isa::{Loop, mul_add, vectorised};
use crate::node::{Failure, kernel};
use crate::queue::Context;
use crate::row;
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

/// Some elements; the parameter's where it is not its own master.
struct Step<'a, E> {
    param: Option<&'a mut [E]>,
    master: &'a mut [f32],
    grad: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    scale: f32,
    rates: Rates,
}

impl<E: Element> Loop for Step<'_, E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(mut self) {
        let Rates { keep, rate, correction, beta1, beta2, rest1, rest2, eps } = self.rates;
        for at in (0..self.grad.len()).step_by(BLOCK) {
            let block = at..(at + BLOCK).min(self.grad.len());
            let (w, g) = (&mut self.master[block.clone()], &self.grad[block.clone()]);
            let (m, v) = (&mut self.m[block.clone()], &mut self.v[block.clone()]);
            for i in 0..g.len() {
                let g = g[i] * self.scale;
                m[i] = mul_add::<FMA>(beta1, m[i], rest1 * g);
                v[i] = mul_add::<FMA>(beta2, v[i], rest2 * g * g);
                let step = rate * m[i] / mul_add::<FMA>(v[i].sqrt(), correction, eps);
                w[i] = mul_add::<FMA>(keep, w[i], -step);
            }
            if let Some(param) = &mut self.param {
                row::store(&mut param[block], w);
            }
        }
    }
}

/// param [n] of dtype; master (null when param is f32 and its own), grad, m, v f32 [n]; gradScale f32 [1] or null. A scale of NaN
/// changes nothing.
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
        let (param, master) = match master {
            Some(master) => (Some(param), args.output("master", master, &[n], FloatDType::F32)?),
            None => (None, param),
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
            let scale = scale.map_or(1.0, |scale| scale.slice::<f32>(context)[0]);
            if scale.is_nan() {
                return Ok(());
            }
            let grad = grad.slice::<f32>(context);
            context.pool.ranges(n, 16 * BLOCK, |range| {
                let grad = &grad[range.clone()];
                // SAFETY: outputs of the kernel, which do not overlap; other threads have other ranges. The context's instruction
                // set was detected.
                with_element!(dtype, E => unsafe {
                    let (m, v) = (m.part(context, range.clone()), v.part(context, range.clone()));
                    let param = param.map(|param| param.part::<E>(context, range.clone()));
                    let master = master.part(context, range);
                    vectorised(context.isa, Step { param, master, grad, m, v, scale, rates })
                });
            });
            Ok(())
        })
    })
}
