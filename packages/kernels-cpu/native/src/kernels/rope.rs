//! Rotary position embedding (Su et al. 2021, arXiv:2104.09864).

use std::ops::Range;

use ift_kernel_abi::{Code, Error, FloatDType, size};
use napi_derive::napi;

use super::row;
use crate::element::Element;
use crate::isa::{Loop, mul_add, vectorised};
use crate::math::cos_sin;
use crate::node::{Failure, kernel};
use crate::pool::scratch;
use crate::queue::Context;
use crate::with_element;

#[derive(Clone, Copy)]
struct Shape {
    heads: usize,
    head_dim: usize,
    dim_offset: usize,
    dims: usize,
    interleaved: bool,
    /// scale, and the sign of the sine.
    scale: f64,
    sign: f64,
}

struct Rotate<E> {
    y: *mut E,
    x: *const E,
    positions: *const i32,
    inv_freq: *const f32,
    rows: Range<usize>,
    shape: Shape,
}

impl<E: Element> Loop for Rotate<E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let Shape { heads, head_dim, dim_offset, dims, interleaved, scale, sign } = self.shape;
        let half = dims / 2;
        let inv_freq = unsafe { std::slice::from_raw_parts(self.inv_freq, half) };
        let (mut cos, mut sin) = (scratch::<f32>(half), scratch::<f32>(half));
        let (mut x, mut y) = (scratch::<f32>(head_dim), scratch::<f32>(head_dim));
        for r in self.rows {
            let position = f64::from(unsafe { self.positions.add(r).read() });
            for ((cos, sin), frequency) in cos.iter_mut().zip(sin.iter_mut()).zip(inv_freq) {
                let (c, s) = cos_sin(position * f64::from(*frequency));
                (*cos, *sin) = ((c * scale) as f32, (s * scale * sign) as f32);
            }
            let (cos, sin) = (&cos[..half], &sin[..half]);
            for h in 0..heads {
                let at = (r * heads + h) * head_dim;
                unsafe { row::load(&mut x, self.x.add(at)) };
                y.copy_from_slice(&x);
                let from = &x[dim_offset..dim_offset + dims];
                let to = &mut y[dim_offset..dim_offset + dims];
                if interleaved {
                    for i in 0..half {
                        let (a, b) = (from[2 * i], from[2 * i + 1]);
                        to[2 * i] = mul_add::<FMA>(a, cos[i], -(b * sin[i]));
                        to[2 * i + 1] = mul_add::<FMA>(b, cos[i], a * sin[i]);
                    }
                } else {
                    let (a, b) = from.split_at(half);
                    let (to_a, to_b) = to.split_at_mut(half);
                    for i in 0..half {
                        to_a[i] = mul_add::<FMA>(a[i], cos[i], -(b[i] * sin[i]));
                        to_b[i] = mul_add::<FMA>(b[i], cos[i], a[i] * sin[i]);
                    }
                }
                unsafe { row::store(self.y.add(at), &y) };
            }
        }
    }
}

/// y, x [rows, heads, headDim]; positions i32 [rows]; invFreq f32 [dims / 2]. y may be x.
#[napi]
pub fn rope(
    device: u32,
    y: u32,
    x: u32,
    positions: u32,
    inv_freq: u32,
    rows: f64,
    heads: f64,
    head_dim: f64,
    dim_offset: f64,
    dims: f64,
    interleaved: bool,
    inverse: bool,
    scale: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "rope", |args| {
        let (rows, heads, dtype) =
            (size("rows", rows)?, size("heads", heads)?, FloatDType::from_code(dtype)?);
        let head_dim = size("headDim", head_dim)?;
        let (dim_offset, dims) = (size("dimOffset", dim_offset)?, size("dims", dims)?);
        if dims % 2 != 0 || dim_offset.saturating_add(dims) > head_dim {
            let message = format!("dims {dims} from {dim_offset} must be even and within headDim {head_dim}");
            return Err(Error::new(Code::Argument, message));
        }
        let y = args.output("y", y, &[rows, heads, head_dim], dtype)?;
        let x = args.input("x", x, &[rows, heads, head_dim], dtype)?;
        let positions = args.input("positions", positions, &[rows], ift_kernel_abi::DType::I32)?;
        let inv_freq = args.input("invFreq", inv_freq, &[dims / 2], FloatDType::F32)?;
        let sign = if inverse { -1.0 } else { 1.0 };
        let shape = Shape { heads, head_dim, dim_offset, dims, interleaved, scale, sign };
        Ok(move |context: &Context| {
            context.pool.ranges(rows, row::grain(heads * head_dim), |rows| {
                with_element!(dtype, E => unsafe {
                    let (y, x, positions, inv_freq) = (y.of(), x.of(), positions.of(), inv_freq.of());
                    vectorised(context.isa, Rotate::<E> { y, x, positions, inv_freq, rows, shape })
                });
            });
            Ok(())
        })
    })
}
