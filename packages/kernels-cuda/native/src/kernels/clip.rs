//! The norm of a whole gradient and the factor that clips it: norms.cu.

use ift_kernel_abi::{FloatDType, size};
use napi_derive::napi;

use crate::device::address;
use crate::launch::{Context, args};
use crate::node::{Failure, kernel};
use crate::plan::geometry::{Geometry, narrow};

/// Elements of one partial sum: `kSquaresPiece` of norms.cu.
const PIECE: usize = 16_384;

args! {
    struct SquaresArgs {
        partial: u64,
        x: u64,
        n: i64,
    }
}

args! {
    struct SquaredNormArgs {
        y: u64,
        partial: u64,
        parts: i32,
        accumulate: i32,
    }
}

args! {
    struct ClipFactorArgs {
        y: u64,
        squared_norm: u64,
        max_norm: f64,
    }
}

/// y f32 [1] (+)= sum of squares of x [n].
#[napi]
pub fn squared_norm(device: u32, y: u32, x: u32, n: f64, dtype: u32, accumulate: bool) -> Option<Failure> {
    kernel(device, "squaredNorm", |args| {
        let (n, dtype) = (size("n", n)?, FloatDType::from_code(dtype)?);
        let y = address(args.output("y", y, &[1], FloatDType::F32)?);
        let x = address(args.input("x", x, &[n], dtype)?);
        let parts = narrow("n", n.div_ceil(PIECE))?;
        let name = format!("ift_squares_{}", dtype.name());
        let partial = address(args.scratch(8 * parts as usize)?);
        Ok(move |context: &Context| {
            let pieces = Geometry { grid: [parts as u32, 1, 1], block: [256, 1, 1] };
            context.launch(&name, pieces, 0, &SquaresArgs { partial, x, n: n as i64 })?;
            let one = Geometry { grid: [1, 1, 1], block: [256, 1, 1] };
            let sum = SquaredNormArgs { y, partial, parts, accumulate: i32::from(accumulate) };
            context.launch("ift_squared_norm", one, 0, &sum)
        })
    })
}

/// y f32 [1] = min(1, maxNorm / (sqrt(squaredNorm f32 [1]) + 1e-6)); NaN where squaredNorm is not finite.
#[napi]
pub fn clip_factor(device: u32, y: u32, squared_norm: u32, max_norm: f64) -> Option<Failure> {
    kernel(device, "clipFactor", |args| {
        let y = address(args.output("y", y, &[1], FloatDType::F32)?);
        let squared_norm = address(args.input("squaredNorm", squared_norm, &[1], FloatDType::F32)?);
        let one = Geometry { grid: [1, 1, 1], block: [1, 1, 1] };
        let call = ClipFactorArgs { y, squared_norm, max_norm };
        Ok(move |context: &Context| context.launch("ift_clip_factor", one, 0, &call))
    })
}
