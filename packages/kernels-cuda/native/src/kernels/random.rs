//! Dropout and random numbers: random.cu.

use ift_kernel_abi::{Code, Error, FloatDType, Result, size};
use napi_derive::napi;

use crate::device::address;
use crate::launch::{Context, args};
use crate::node::{Failure, kernel};
use crate::plan::geometry::{elements, lanes};

args! {
    struct RandomArgs {
        y: u64,
        x: u64,
        n: i64,
        key: [u32; 2],
        stream: u32,
        threshold: u32,
        scale: f32,
        normal: i32,
    }
}

/// Seed, below 2^53, and stream.
fn keyed(seed: f64, stream: f64) -> Result<RandomArgs> {
    let (seed, stream) = (size("seed", seed)?, size("stream", stream)?);
    let stream = u32::try_from(stream)
        .map_err(|_| Error::new(Code::Argument, format!("stream is {stream}, expected below 2^32")))?;
    let seed = seed as u64;
    Ok(RandomArgs { key: [seed as u32, (seed >> 32) as u32], stream, ..RandomArgs::default() })
}

/// y [n] = x / (1 - p) where kept, else 0; y may be x.
#[napi]
pub fn dropout(
    device: u32,
    y: u32,
    x: u32,
    n: f64,
    p: f64,
    seed: f64,
    stream: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "dropout", |args| {
        let (n, dtype, call) = (size("n", n)?, FloatDType::from_code(dtype)?, keyed(seed, stream)?);
        if !(0.0..=1.0).contains(&p) {
            return Err(Error::new(Code::Argument, format!("p is {p}, expected 0 to 1")));
        }
        let y = address(args.output("y", y, &[n], dtype)?);
        let x = address(args.in_place("x", x, &[n], dtype)?);
        let threshold = (p * 4_294_967_296.0).floor() as u64;
        // At p = 1 no word reaches the threshold, which is no u32.
        let scale = if threshold > u64::from(u32::MAX) { 0.0 } else { (1.0 / (1.0 - p)) as f32 };
        let threshold = threshold.min(u64::from(u32::MAX)) as u32;
        let geometry = elements(n, lanes(dtype, dtype))?;
        let name = format!("ift_dropout_{}", dtype.name());
        let call = RandomArgs { y, x, n: n as i64, threshold, scale, ..call };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}

/// y [n], normal or uniform.
#[napi]
pub fn random(
    device: u32,
    y: u32,
    n: f64,
    normal: bool,
    seed: f64,
    stream: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "random", |args| {
        let (n, dtype, call) = (size("n", n)?, FloatDType::from_code(dtype)?, keyed(seed, stream)?);
        let y = address(args.output("y", y, &[n], dtype)?);
        let geometry = elements(n, lanes(dtype, dtype))?;
        let name = format!("ift_random_{}", dtype.name());
        let call = RandomArgs { y, n: n as i64, normal: i32::from(normal), ..call };
        Ok(move |context: &Context| context.launch(&name, geometry, 0, &call))
    })
}
