//! SwiGLU (Shazeer 2020, arXiv:2002.05202) and element-wise activations.

use ift_kernel_abi::{Code, Error};
use napi_derive::napi;

use super::map::{Map, Operands};
use crate::isa::mul_add;
use crate::math::{exp, normal_cdf, sigmoid, tanh};
use crate::node::{Failure, kernel};

#[derive(Clone, Copy)]
struct SwiGlu;

impl Map<2, 1> for SwiGlu {
    #[inline(always)]
    fn apply<const FMA: bool>(self, [gate, up]: [f32; 2]) -> [f32; 1] {
        [gate * sigmoid::<FMA>(gate) * up]
    }
}

#[derive(Clone, Copy)]
struct SwiGluBackward;

impl Map<3, 2> for SwiGluBackward {
    #[inline(always)]
    fn apply<const FMA: bool>(self, [dy, gate, up]: [f32; 3]) -> [f32; 2] {
        let s = sigmoid::<FMA>(gate);
        let slope = s * (1.0 + gate * (1.0 - s));
        [dy * up * slope, dy * gate * s]
    }
}

/// An activation and its derivative.
trait Activation: Copy + Send + Sync {
    fn value<const FMA: bool>(x: f32) -> f32;
    fn slope<const FMA: bool>(x: f32) -> f32;
}

#[derive(Clone, Copy)]
struct GeluTanh;
/// sqrt(2 / π).
const GELU_SCALE: f32 = 0.797_884_6;
const GELU_CUBE: f32 = 0.044_715;

impl Activation for GeluTanh {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        // 0.5 (1 + tanh u) = sigmoid(2u), which keeps the digits of its lower tail.
        let u = GELU_SCALE * mul_add::<FMA>(GELU_CUBE * x * x, x, x);
        x * sigmoid::<FMA>(u + u)
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        let u = GELU_SCALE * mul_add::<FMA>(GELU_CUBE * x * x, x, x);
        let du = GELU_SCALE * mul_add::<FMA>(3.0 * GELU_CUBE * x, x, 1.0);
        let s = sigmoid::<FMA>(u + u);
        s + x * 2.0 * s * (1.0 - s) * du
    }
}

#[derive(Clone, Copy)]
struct GeluErf;

impl Activation for GeluErf {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        x * normal_cdf::<FMA>(x)
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        /// 1 / sqrt(2π).
        const DENSITY: f32 = 0.398_942_3;
        normal_cdf::<FMA>(x) + x * DENSITY * exp::<FMA>(-0.5 * x * x)
    }
}

#[derive(Clone, Copy)]
struct Silu;

impl Activation for Silu {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        x * sigmoid::<FMA>(x)
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        let s = sigmoid::<FMA>(x);
        s * (1.0 + x * (1.0 - s))
    }
}

#[derive(Clone, Copy)]
struct Relu;

impl Activation for Relu {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        // A NaN stays one.
        if x < 0.0 { 0.0 } else { x }
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        if x > 0.0 { 1.0 } else { 0.0 }
    }
}

#[derive(Clone, Copy)]
struct Tanh;

impl Activation for Tanh {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        tanh::<FMA>(x)
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        let y = tanh::<FMA>(x);
        1.0 - y * y
    }
}

#[derive(Clone, Copy)]
struct Sigmoid;

impl Activation for Sigmoid {
    #[inline(always)]
    fn value<const FMA: bool>(x: f32) -> f32 {
        sigmoid::<FMA>(x)
    }
    #[inline(always)]
    fn slope<const FMA: bool>(x: f32) -> f32 {
        let s = sigmoid::<FMA>(x);
        s * (1.0 - s)
    }
}

#[derive(Clone, Copy)]
struct Forward<A>(A);

impl<A: Activation> Map<1, 1> for Forward<A> {
    #[inline(always)]
    fn apply<const FMA: bool>(self, [x]: [f32; 1]) -> [f32; 1] {
        [A::value::<FMA>(x)]
    }
}

#[derive(Clone, Copy)]
struct Backward<A>(A);

impl<A: Activation> Map<2, 1> for Backward<A> {
    #[inline(always)]
    fn apply<const FMA: bool>(self, [dy, x]: [f32; 2]) -> [f32; 1] {
        [dy * A::slope::<FMA>(x)]
    }
}

/// Calls `$body` with the activation whose place in `Unary` of `@ift/tensor` is `$kind`.
macro_rules! with_activation {
    ($kind:expr, $activation:ident => $body:expr) => {
        match $kind {
            0 => {
                let $activation = GeluTanh;
                {
                    $body;
                    Ok(())
                }
            }
            1 => {
                let $activation = GeluErf;
                {
                    $body;
                    Ok(())
                }
            }
            2 => {
                let $activation = Silu;
                {
                    $body;
                    Ok(())
                }
            }
            3 => {
                let $activation = Relu;
                {
                    $body;
                    Ok(())
                }
            }
            4 => {
                let $activation = Tanh;
                {
                    $body;
                    Ok(())
                }
            }
            5 => {
                let $activation = Sigmoid;
                {
                    $body;
                    Ok(())
                }
            }
            other => Err(Error::new(
                Code::Argument,
                format!("kind is {other}, expected an activation from 0 to 5"),
            )),
        }
    };
}

/// y [n] = silu(gate) · up; y may be an input.
#[napi]
pub fn swiglu(device: u32, y: u32, gate: u32, up: u32, n: f64, dtype: u32) -> Option<Failure> {
    kernel(device, "swiglu", |args| {
        let operands = Operands::of(args, [("y", y)], [("gate", gate), ("up", up)], n, dtype)?;
        Ok(move |context: &_| {
            operands.run(context, SwiGlu);
            Ok(())
        })
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
        let input = [("dy", dy), ("gate", gate), ("up", up)];
        let operands = Operands::of(args, [("dgate", dgate), ("dup", dup)], input, n, dtype)?;
        Ok(move |context: &_| {
            operands.run(context, SwiGluBackward);
            Ok(())
        })
    })
}

/// y [n] = f(x); y may be x.
#[napi]
pub fn unary(device: u32, kind: u32, y: u32, x: u32, n: f64, dtype: u32) -> Option<Failure> {
    kernel(device, "unary", |args| {
        let operands = Operands::of(args, [("y", y)], [("x", x)], n, dtype)?;
        Ok(
            move |context: &_| with_activation!(kind, activation => operands.run(context, Forward(activation))),
        )
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
        let operands = Operands::of(args, [("dx", dx)], [("dy", dy), ("x", x)], n, dtype)?;
        Ok(
            move |context: &_| with_activation!(kind, activation => operands.run(context, Backward(activation))),
        )
    })
}
