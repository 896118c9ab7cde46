//! Rotary position embedding: rope.cu.

use ift_kernel_abi::{Code, DType, Error, FloatDType, MAX_HEAD_DIM, product, size};
use napi_derive::napi;

use crate::device::address;
use crate::launch::{Context, args};
use crate::node::{Failure, kernel};
use crate::plan::geometry::{Geometry, narrow};

args! {
    /// `RopeArgs` of args/rope.h.
    struct RopeArgs {
        y: u64,
        x: u64,
        positions: u64,
        inv_freq: u64,
        rows: i64,
        heads: i32,
        head_dim: i32,
        dim_offset: i32,
        dims: i32,
        interleaved: i32,
        vectors: i32,
        cos_scale: f32,
        sin_scale: f32,
    }
}

/// Whether 16-byte vectors of `lanes` elements fall whole into the rotated or the copied dimensions.
fn vectors(lanes: usize, head_dim: usize, dim_offset: usize, dims: usize, interleaved: bool) -> bool {
    let rotated = if interleaved { dims } else { dims / 2 };
    head_dim.is_multiple_of(lanes) && dim_offset.is_multiple_of(lanes) && rotated.is_multiple_of(lanes)
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
        let y = address(args.output("y", y, &[rows, heads, head_dim], dtype)?);
        let x = address(args.in_place("x", x, &[rows, heads, head_dim], dtype)?);
        let positions = address(args.input("positions", positions, &[rows], DType::I32)?);
        let inv_freq = address(args.input("invFreq", inv_freq, &[dims / 2], FloatDType::F32)?);
        let lanes = 16 / dtype.size();
        let aligned = (x | y).is_multiple_of(16) && vectors(lanes, head_dim, dim_offset, dims, interleaved);
        let per_row = width / if aligned { 2 * lanes } else { 2 };
        let threads = per_row.next_multiple_of(32).clamp(32, 256);
        let width = narrow("heads", width)?;
        let geometry = Geometry {
            grid: [if width == 0 { 0 } else { narrow("rows", rows)? as u32 }, 1, 1],
            block: [threads as u32, 1, 1],
        };
        let name = format!("ift_rope_{}", dtype.name());
        let call = RopeArgs {
            y,
            x,
            positions,
            inv_freq,
            rows: rows as i64,
            heads: heads as i32,
            head_dim: head_dim as i32,
            dim_offset: dim_offset as i32,
            dims: dims as i32,
            interleaved: i32::from(interleaved),
            vectors: i32::from(aligned),
            cos_scale: scale as f32,
            sin_scale: if inverse { -scale } else { scale } as f32,
        };
        // A cosine and a sine for each pair of dimensions.
        let shared = dims / 2 * 8;
        Ok(move |context: &Context| context.launch(&name, geometry, shared, &call))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_need_whole_halves() {
        assert!(vectors(8, 128, 0, 128, false));
        assert!(vectors(8, 80, 16, 32, false));
        assert!(!vectors(8, 80, 4, 32, true));
        assert!(!vectors(8, 64, 0, 8, false));
        assert!(vectors(8, 64, 0, 8, true));
        assert!(!vectors(8, 7, 0, 2, true));
    }
}
