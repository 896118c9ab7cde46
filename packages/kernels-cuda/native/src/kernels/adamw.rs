//! AdamW: adamw.cu.

use ift_kernel_abi::{Code, Error, FloatDType, size};
use napi_derive::napi;

use crate::device::address;
use crate::launch::{Context, args};
use crate::node::{Failure, kernel};
use crate::plan::geometry::elements;

args! {
    struct AdamWArgs {
        param: u64,
        master: u64,
        grad: u64,
        m: u64,
        v: u64,
        grad_scale: u64,
        n: i64,
        keep: f32,
        rate: f32,
        correction: f32,
        beta1: f32,
        beta2: f32,
        rest1: f32,
        rest2: f32,
        eps: f32,
        apart: i32,
        unused: i32,
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
        let f32s = FloatDType::F32;
        let param = address(args.output("param", param, &[n], dtype)?);
        let master = master.map(|master| args.output("master", master, &[n], f32s)).transpose()?;
        let grad = address(args.input("grad", grad, &[n], f32s)?);
        let m = address(args.output("m", m, &[n], f32s)?);
        let v = address(args.output("v", v, &[n], f32s)?);
        let scale = grad_scale.map(|scale| args.input("gradScale", scale, &[1], f32s)).transpose()?;
        let call = AdamWArgs {
            param,
            master: master.map_or(0, address),
            grad,
            m,
            v,
            grad_scale: scale.map_or(0, address),
            n: n as i64,
            keep: (1.0 - lr * weight_decay) as f32,
            rate: (lr / (1.0 - beta1.powf(step))) as f32,
            correction: (1.0 / (1.0 - beta2.powf(step)).sqrt()) as f32,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            rest1: (1.0 - beta1) as f32,
            rest2: (1.0 - beta2) as f32,
            eps: eps as f32,
            apart: i32::from(master.is_some()),
            unused: 0,
        };
        let geometry = elements(n, 4)?;
        let name = format!("ift_adamw_{}", dtype.name());
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}
