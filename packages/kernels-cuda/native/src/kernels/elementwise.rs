//! Element-wise arithmetic and conversion: elementwise.cu.

use ift_kernel_abi::{DType, FloatDType, Result, size};
use napi_derive::napi;

use crate::device::address;
use crate::launch::{Context, args};
use crate::node::{Failure, kernel};
use crate::plan::geometry::{Geometry, elements, lanes};

args! {
    struct FillArgs {
        y: u64,
        n: i64,
        pattern: u32,
        unused: u32,
    }
}

args! {
    struct AxpbyArgs {
        y: u64,
        x: u64,
        z: u64,
        n: i64,
        a: f32,
        b: f32,
    }
}

args! {
    /// y of x, or of x and z; `MapArgs` of args/elementwise.h.
    pub struct MapArgs {
        pub y: u64,
        pub x: u64,
        pub z: u64,
        pub n: i64,
    }
}

/// The bits of `value` in the dtype, repeated to fill 32.
fn pattern(value: f64, dtype: DType) -> u32 {
    let twice = |bits: u16| u32::from(bits) << 16 | u32::from(bits);
    match dtype {
        DType::F32 => (value as f32).to_bits(),
        DType::Bf16 => twice(half::bf16::from_f32(value as f32).to_bits()),
        DType::F16 => twice(half::f16::from_f32(value as f32).to_bits()),
        DType::I32 => (value as i32) as u32,
        DType::U8 => u32::from(value as u8) * 0x0101_0101,
    }
}

/// y [n] = value, rounded to the dtype; integers saturate.
#[napi]
pub fn fill(device: u32, y: u32, value: f64, n: f64, dtype: u32) -> Option<Failure> {
    kernel(device, "fill", |args| {
        let (n, dtype) = (size("n", n)?, DType::from_code(dtype)?);
        let y = args.output("y", y, &[n], dtype)?;
        let geometry = elements(n, 16 / dtype.size())?;
        let name = format!("ift_fill_{}", 8 * dtype.size());
        let call = FillArgs { y: address(y), n: n as i64, pattern: pattern(value, dtype), unused: 0 };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}

/// y [n] = a·x + b·z; y may be x or z.
#[napi]
pub fn axpby(device: u32, y: u32, a: f64, x: u32, b: f64, z: u32, n: f64, dtype: u32) -> Option<Failure> {
    kernel(device, "axpby", |args| {
        let (n, dtype) = (size("n", n)?, FloatDType::from_code(dtype)?);
        let y = args.output("y", y, &[n], dtype)?;
        let x = args.in_place("x", x, &[n], dtype)?;
        let z = args.in_place("z", z, &[n], dtype)?;
        let geometry = elements(n, lanes(dtype, dtype))?;
        let name = format!("ift_axpby_{}", dtype.name());
        let (y, x, z) = (address(y), address(x), address(z));
        let call = AxpbyArgs { y, x, z, n: n as i64, a: a as f32, b: b as f32 };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}

/// y [n] = a·b; y may be a or b.
#[napi]
pub fn mul(device: u32, y: u32, a: u32, b: u32, n: f64, dtype: u32) -> Option<Failure> {
    kernel(device, "mul", |args| {
        let (n, dtype) = (size("n", n)?, FloatDType::from_code(dtype)?);
        let y = args.output("y", y, &[n], dtype)?;
        let a = args.in_place("a", a, &[n], dtype)?;
        let b = args.in_place("b", b, &[n], dtype)?;
        let geometry = elements(n, lanes(dtype, dtype))?;
        let name = format!("ift_mul_{}", dtype.name());
        let call = MapArgs { y: address(y), x: address(a), z: address(b), n: n as i64 };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}

/// A launch that converts n numbers.
pub struct Cast {
    name: String,
    geometry: Geometry,
    call: MapArgs,
}

impl Cast {
    /// Addresses with the types of what lies there.
    pub fn of((y, to): (u64, FloatDType), (x, from): (u64, FloatDType), n: usize) -> Result<Self> {
        Ok(Self {
            name: format!("ift_cast_{}_to_{}", from.name(), to.name()),
            geometry: elements(n, lanes(to, from))?,
            call: MapArgs { y, x, z: 0, n: n as i64 },
        })
    }

    pub fn run(&self, context: &Context) -> Result<()> {
        context.launch(&self.name, self.geometry, 0, &self.call)
    }
}

/// y [n] of dtype `to` = x [n] of dtype `from`.
#[napi]
pub fn cast(device: u32, y: u32, x: u32, n: f64, to: u32, from: u32) -> Option<Failure> {
    kernel(device, "cast", |args| {
        let (n, to, from) = (size("n", n)?, FloatDType::from_code(to)?, FloatDType::from_code(from)?);
        let y = address(args.output("y", y, &[n], to)?);
        let x = address(args.input("x", x, &[n], from)?);
        let cast = Cast::of((y, to), (x, from), n)?;
        Ok(move |context: &Context| cast.run(context))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fill_32_bits() {
        assert_eq!(pattern(-1.25, DType::F32), 0xbfa0_0000);
        assert_eq!(pattern(-1.25, DType::Bf16), 0xbfa0_bfa0);
        assert_eq!(pattern(-1.25, DType::F16), 0xbd00_bd00);
        assert_eq!(pattern(-7.0, DType::I32), -7i32 as u32);
        assert_eq!(pattern(200.0, DType::U8), 0xc8c8_c8c8);
    }
}
