//! SwiGLU and element-wise activations: swiglu.cu and unary.cu.

use ift_kernel_abi::{Code, Error, FloatDType, Result, size};
use napi_derive::napi;

use super::elementwise::MapArgs;
use crate::device::address;
use crate::launch::{Context, args};
use crate::node::{Failure, kernel};
use crate::plan::geometry::{elements, lanes};

args! {
    struct SwigluBackwardArgs {
        dgate: u64,
        dup: u64,
        dy: u64,
        gate: u64,
        up: u64,
        n: i64,
    }
}

/// The kernels' name of the activation whose place in `Unary` of `@ift/tensor` is `kind`.
fn activation(kind: u32) -> Result<&'static str> {
    ["gelu_tanh", "gelu_erf", "silu", "relu", "tanh", "sigmoid"].get(kind as usize).copied().ok_or_else(
        || Error::new(Code::Argument, format!("kind is {kind}, expected an activation from 0 to 5")),
    )
}

/// y [n] = silu(gate) · up; y may be an input.
#[napi]
pub fn swiglu(device: u32, y: u32, gate: u32, up: u32, n: f64, dtype: u32) -> Option<Failure> {
    kernel(device, "swiglu", |args| {
        let (n, dtype) = (size("n", n)?, FloatDType::from_code(dtype)?);
        let y = args.output("y", y, &[n], dtype)?;
        let gate = args.in_place("gate", gate, &[n], dtype)?;
        let up = args.in_place("up", up, &[n], dtype)?;
        let geometry = elements(n, lanes(dtype, dtype))?;
        let name = format!("ift_swiglu_{}", dtype.name());
        let call = MapArgs { y: address(y), x: address(gate), z: address(up), n: n as i64 };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}

/// dgate, dup [n]; dgate may be gate and dup may be up.
#[napi]
pub fn swiglu_backward(
    device: u32,
    dgate: u32,
    dup: u32,
    dy: u32,
    gate: u32,
    up: u32,
    n: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "swigluBackward", |args| {
        let (n, dtype) = (size("n", n)?, FloatDType::from_code(dtype)?);
        let dgate = address(args.output("dgate", dgate, &[n], dtype)?);
        let dup = address(args.output("dup", dup, &[n], dtype)?);
        let dy = address(args.in_place("dy", dy, &[n], dtype)?);
        let gate = address(args.in_place("gate", gate, &[n], dtype)?);
        let up = address(args.in_place("up", up, &[n], dtype)?);
        let geometry = elements(n, lanes(dtype, dtype))?;
        let name = format!("ift_swiglu_backward_{}", dtype.name());
        let call = SwigluBackwardArgs { dgate, dup, dy, gate, up, n: n as i64 };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}

/// y [n] = f(x); y may be x.
#[napi]
pub fn unary(device: u32, kind: u32, y: u32, x: u32, n: f64, dtype: u32) -> Option<Failure> {
    kernel(device, "unary", |args| {
        let (n, dtype, activation) = (size("n", n)?, FloatDType::from_code(dtype)?, activation(kind)?);
        let y = args.output("y", y, &[n], dtype)?;
        let x = args.in_place("x", x, &[n], dtype)?;
        let geometry = elements(n, lanes(dtype, dtype))?;
        let name = format!("ift_{activation}_{}", dtype.name());
        let call = MapArgs { y: address(y), x: address(x), z: 0, n: n as i64 };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}

/// dx [n] = dy · f'(x); dx may be dy or x.
#[napi]
pub fn unary_backward(
    device: u32,
    kind: u32,
    dx: u32,
    dy: u32,
    x: u32,
    n: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "unaryBackward", |args| {
        let (n, dtype, activation) = (size("n", n)?, FloatDType::from_code(dtype)?, activation(kind)?);
        let dx = args.output("dx", dx, &[n], dtype)?;
        let dy = args.in_place("dy", dy, &[n], dtype)?;
        let x = args.in_place("x", x, &[n], dtype)?;
        let geometry = elements(n, lanes(dtype, dtype))?;
        let name = format!("ift_{activation}_backward_{}", dtype.name());
        let call = MapArgs { y: address(dx), x: address(x), z: address(dy), n: n as i64 };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}
