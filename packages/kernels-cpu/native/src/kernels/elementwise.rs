//! Element-wise arithmetic and conversion.

use ift_kernel_abi::{DType, FloatDType, size};
use napi_derive::napi;

use super::map::{Map, Operands, map};
use crate::element::{Bf16, Element, F16, Plain};
use crate::isa::mul_add;
use crate::memory::Ptr;
use crate::node::{Failure, kernel};
use crate::queue::Context;
use crate::with_element;

#[derive(Clone, Copy)]
struct AxpBy(f32, f32);

impl Map<2, 1> for AxpBy {
    #[inline(always)]
    fn apply<const FMA: bool>(self, [x, z]: [f32; 2]) -> [f32; 1] {
        [mul_add::<FMA>(self.0, x, self.1 * z)]
    }
}

#[derive(Clone, Copy)]
struct Mul;

impl Map<2, 1> for Mul {
    #[inline(always)]
    fn apply<const FMA: bool>(self, [a, b]: [f32; 2]) -> [f32; 1] {
        [a * b]
    }
}

#[derive(Clone, Copy)]
struct Identity;

impl Map<1, 1> for Identity {
    #[inline(always)]
    fn apply<const FMA: bool>(self, x: [f32; 1]) -> [f32; 1] {
        x
    }
}

/// y = value.
fn set<T: Plain>(context: &Context, y: Ptr, value: T, n: usize) {
    context.pool.ranges(n, 1 << 16, |range| {
        // SAFETY: the kernel's output; other threads have other ranges.
        unsafe { y.part(context, range) }.fill(value);
    });
}

/// y [n] = value, rounded to the dtype; integers saturate.
#[napi]
pub fn fill(device: u32, y: u32, value: f64, n: f64, dtype: u32) -> Option<Failure> {
    kernel(device, "fill", |args| {
        let (n, dtype) = (size("n", n)?, DType::from_code(dtype)?);
        let y = args.output("y", y, &[n], dtype)?;
        Ok(move |context: &Context| {
            match dtype {
                DType::F32 => set(context, y, value as f32, n),
                DType::Bf16 => set(context, y, Bf16::store(value as f32), n),
                DType::F16 => set(context, y, F16::store(value as f32), n),
                DType::I32 => set(context, y, value as i32, n),
                DType::U8 => set(context, y, value as u8, n),
            }
            Ok(())
        })
    })
}

/// y [n] = a·x + b·z; y may be x or z.
#[napi]
pub fn axpby(device: u32, y: u32, a: f64, x: u32, b: f64, z: u32, n: f64, dtype: u32) -> Option<Failure> {
    kernel(device, "axpby", |args| {
        let operands = Operands::of(args, [("y", y)], [("x", x), ("z", z)], n, dtype)?;
        Ok(move |context: &_| {
            operands.run(context, AxpBy(a as f32, b as f32));
            Ok(())
        })
    })
}

/// y [n] = a·b; y may be a or b.
#[napi]
pub fn mul(device: u32, y: u32, a: u32, b: u32, n: f64, dtype: u32) -> Option<Failure> {
    kernel(device, "mul", |args| {
        let operands = Operands::of(args, [("y", y)], [("a", a), ("b", b)], n, dtype)?;
        Ok(move |context: &_| {
            operands.run(context, Mul);
            Ok(())
        })
    })
}

/// y [n] of dtype `to` = x [n] of dtype `from`.
#[napi]
pub fn cast(device: u32, y: u32, x: u32, n: f64, to: u32, from: u32) -> Option<Failure> {
    kernel(device, "cast", |args| {
        let (n, to, from) = (size("n", n)?, FloatDType::from_code(to)?, FloatDType::from_code(from)?);
        let y = args.output("y", y, &[n], to)?;
        let x = args.input("x", x, &[n], from)?;
        Ok(move |context: &_| {
            // SAFETY: both were checked for n elements, and do not overlap.
            with_element!(from, E => with_element!(to, F => unsafe {
                map::<E, F, 1, 1>(context, [y], [x.into()], n, Identity)
            }));
            Ok(())
        })
    })
}
