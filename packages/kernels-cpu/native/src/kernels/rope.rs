//! Rotary position embedding (Su et al. 2021, arXiv:2104.09864).

use std::ops::Range;

use ift_kernel_abi::{Code, DType, Error, FloatDType, MAX_HEAD_DIM, product, size};
use napi_derive::napi;

use crate::element::Element;
use crate::isa::{Loop, mul_add, vectorised};
use crate::math::cos_sin;
use crate::node::{Failure, kernel};
use crate::pool::scratch;
use crate::queue::Context;
use crate::row;
use crate::with_element;

/// Pairs that are turned at a time.
const LANES: usize = 16;

#[derive(Clone, Copy)]
struct Shape {
    heads: usize,
    head_dim: usize,
    dim_offset: usize,
    dims: usize,
    /// scale, and the sign of the sine.
    scale: f64,
    sign: f64,
}

/// Some rows. y may be x, so neither is a slice.
struct Rotate<'a, E, const INTERLEAVED: bool> {
    y: *mut E,
    x: *const E,
    positions: &'a [i32],
    inv_freq: &'a [f32],
    rows: Range<usize>,
    shape: Shape,
}

impl<E: Element, const INTERLEAVED: bool> Loop for Rotate<'_, E, INTERLEAVED> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let Shape { heads, head_dim, dim_offset, dims, scale, sign } = self.shape;
        let half = dims / 2;
        let whole = half / LANES * LANES;
        let (mut cos, mut sin) = (scratch::<f32>(half), scratch::<f32>(half));
        for r in self.rows {
            let position = f64::from(self.positions[r]);
            for ((cos, sin), frequency) in cos.iter_mut().zip(sin.iter_mut()).zip(self.inv_freq) {
                let (c, s) = cos_sin::<FMA>(position * f64::from(*frequency));
                (*cos, *sin) = ((c * scale) as f32, (s * scale * sign) as f32);
            }
            for at in (r * heads..(r + 1) * heads).map(|head| head * head_dim) {
                // SAFETY: a head of x and y, of which `dims` elements from `dim_offset` on are turned, and the factors of its pairs.
                unsafe {
                    let (x, y) = (self.x.add(at), self.y.add(at));
                    if dims < head_dim && !std::ptr::eq(x, y) {
                        x.copy_to(y, head_dim);
                    }
                    let (x, y) = (x.add(dim_offset), y.add(dim_offset));
                    let (cos, sin) = (cos.as_ptr(), sin.as_ptr());
                    for i in (0..whole).step_by(LANES) {
                        let (cos, sin) = (*cos.add(i).cast::<[f32; LANES]>(), *sin.add(i).cast());
                        turn::<E, FMA, INTERLEAVED, LANES>(y, x, cos, sin, i, half);
                    }
                    for i in whole..half {
                        turn::<E, FMA, INTERLEAVED, 1>(y, x, [*cos.add(i)], [*sin.add(i)], i, half);
                    }
                }
            }
        }
    }
}

/// Turns the pairs from `i` on of `half` of them. All are read before any is written: y may be x.
///
/// # Safety
/// x and y hold 2 · half elements, and i + N is at most half.
#[inline(always)]
unsafe fn turn<E: Element, const FMA: bool, const INTERLEAVED: bool, const N: usize>(
    y: *mut E,
    x: *const E,
    cos: [f32; N],
    sin: [f32; N],
    i: usize,
    half: usize,
) {
    let rotated = |a: [f32; N], b: [f32; N]| {
        let (mut to_a, mut to_b) = (a, b);
        for lane in 0..N {
            to_a[lane] = mul_add::<FMA>(a[lane], cos[lane], -(b[lane] * sin[lane]));
            to_b[lane] = mul_add::<FMA>(b[lane], cos[lane], a[lane] * sin[lane]);
        }
        (to_a, to_b)
    };
    // SAFETY: the caller's pairs.
    unsafe {
        if INTERLEAVED {
            let pairs = *x.add(2 * i).cast::<[[E; 2]; N]>();
            let (a, b) = rotated(pairs.map(|pair| pair[0].load()), pairs.map(|pair| pair[1].load()));
            let mut turned = pairs;
            for lane in 0..N {
                turned[lane] = [E::store(a[lane]), E::store(b[lane])];
            }
            *y.add(2 * i).cast() = turned;
        } else {
            let (a, b) = (*x.add(i).cast::<[E; N]>(), *x.add(half + i).cast::<[E; N]>());
            let (a, b) = rotated(a.map(E::load), b.map(E::load));
            *y.add(i).cast() = a.map(E::store);
            *y.add(half + i).cast() = b.map(E::store);
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
        if dims > MAX_HEAD_DIM {
            return Err(Error::new(
                Code::Argument,
                format!("dims is {dims}, expected at most {MAX_HEAD_DIM}"),
            ));
        }
        let width = product(&[heads, head_dim])?;
        let y = args.output("y", y, &[rows, heads, head_dim], dtype)?;
        let x = args.in_place("x", x, &[rows, heads, head_dim], dtype)?;
        let positions = args.input("positions", positions, &[rows], DType::I32)?;
        let inv_freq = args.input("invFreq", inv_freq, &[dims / 2], FloatDType::F32)?;
        let sign = if inverse { -1.0 } else { 1.0 };
        let shape = Shape { heads, head_dim, dim_offset, dims, scale, sign };
        Ok(move |context: &Context| {
            let (positions, inv_freq) = (positions.slice(context), inv_freq.slice(context));
            context.pool.ranges(rows, row::grain(width), |rows| {
                // SAFETY: x and y hold the rows, and other threads have others; the dimensions that are turned lie in a head. The
                // context's instruction set was detected.
                with_element!(dtype, E => unsafe {
                    let (y, x) = (y.of::<E>(), x.of::<E>());
                    if interleaved {
                        vectorised(context.isa, Rotate::<E, true> { y, x, positions, inv_freq, rows, shape })
                    } else {
                        vectorised(context.isa, Rotate::<E, false> { y, x, positions, inv_freq, rows, shape })
                    }
                });
            });
            Ok(())
        })
    })
}
