//! The arguments of a linear layer with a low-rank addition and of its gradients, as the numbers of one array, like those of
//! a matrix product.

use crate::gemm::{all, handle};
use crate::{FloatDType, Result, size};

/// y [n, m] = x wᵀ + scale · low bᵀ (+ y) (+ bias [m] on every row), low [n, r] = z aᵀ; x and z [n, k], w [m, k],
/// a [r, k], b [m, r]. Buffers are handles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowRank {
    pub y: u32,
    pub low: u32,
    pub x: u32,
    pub z: u32,
    pub w: u32,
    /// Those of an int8 matrix, whose codes are w.
    pub scales: Option<u32>,
    pub a: u32,
    pub b: u32,
    pub bias: Option<u32>,
    pub shape: LowRankShape,
    pub accumulate: bool,
    pub out_dtype: FloatDType,
}

/// What a product and its gradients share. `dtype` is that of all but y and the gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowRankShape {
    pub n: usize,
    pub k: usize,
    pub m: usize,
    pub r: usize,
    pub scale: f32,
    pub dtype: FloatDType,
}

/// With e [n, r] = scale · dy b: dx [n, k] = dy w (+ e a when `joined`), dz [n, k] = e a, da [r, k] = eᵀ z and
/// db [m, r] = scale · dyᵀ low, each of them added to what is there where it says so, or not wanted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowRankGradients {
    pub dx: Option<Gradient>,
    pub dz: Option<Gradient>,
    pub da: Option<Gradient>,
    pub db: Option<Gradient>,
    pub joined: bool,
    pub dy: u32,
    /// Read for da alone.
    pub z: Option<u32>,
    pub low: u32,
    /// Read for dx alone.
    pub w: Option<u32>,
    /// Those of an int8 matrix, whose codes are w.
    pub scales: Option<u32>,
    pub a: u32,
    pub b: u32,
    pub shape: LowRankShape,
}

/// Where a gradient goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gradient {
    pub at: u32,
    pub accumulate: bool,
    pub dtype: FloatDType,
}

impl LowRankShape {
    fn from_numbers([n, k, m, r, scale, dtype]: [f64; 6]) -> Result<Self> {
        Ok(Self {
            n: size("n", n)?,
            k: size("k", k)?,
            m: size("m", m)?,
            r: size("r", r)?,
            scale: scale as f32,
            dtype: FloatDType::from_code(dtype as u32)?,
        })
    }
}

impl LowRank {
    /// From y, low, x, z, w, a, b, bias, n, k, m, r, scale, dtype, accumulate, outDtype, scales; a bias or
    /// scales of 0 are none.
    pub fn from_numbers(numbers: &[f64]) -> Result<Self> {
        let [y, low, x, z, w, a, b, bias, n, k, m, r, scale, dtype, accumulate, out_dtype, scales] =
            all("a low-rank product's arguments", numbers)?;
        Ok(Self {
            y: y as u32,
            low: low as u32,
            x: x as u32,
            z: z as u32,
            w: w as u32,
            scales: handle(scales),
            a: a as u32,
            b: b as u32,
            bias: handle(bias),
            shape: LowRankShape::from_numbers([n, k, m, r, scale, dtype])?,
            accumulate: accumulate != 0.0,
            out_dtype: FloatDType::from_code(out_dtype as u32)?,
        })
    }
}

impl LowRankGradients {
    /// From dx, dz, da and db with whether to add and the dtype behind each, joined, dy, z, low, w, a, b, n, k, m, r, scale,
    /// dtype, scales; a gradient, a z, a w or scales of 0 are none.
    pub fn from_numbers(numbers: &[f64]) -> Result<Self> {
        let [
            dx,
            dx_add,
            dx_dtype,
            dz,
            dz_add,
            dz_dtype,
            da,
            da_add,
            da_dtype,
            db,
            db_add,
            db_dtype,
            rest @ ..,
        ] = all::<26>("low-rank gradients' arguments", numbers)?;
        let [joined, dy, z, low, w, a, b, shape @ .., scales] = rest;
        let gradient = |at: f64, add: f64, dtype: f64| {
            let gradient =
                |at| Ok(Gradient { at, accumulate: add != 0.0, dtype: FloatDType::from_code(dtype as u32)? });
            handle(at).map(gradient).transpose()
        };
        Ok(Self {
            dx: gradient(dx, dx_add, dx_dtype)?,
            dz: gradient(dz, dz_add, dz_dtype)?,
            da: gradient(da, da_add, da_dtype)?,
            db: gradient(db, db_add, db_dtype)?,
            joined: joined != 0.0,
            dy: dy as u32,
            z: handle(z),
            low: low as u32,
            w: handle(w),
            scales: handle(scales),
            a: a as u32,
            b: b as u32,
            shape: LowRankShape::from_numbers(shape)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    const SHAPE: LowRankShape =
        LowRankShape { n: 11, k: 12, m: 13, r: 2, scale: 0.5, dtype: FloatDType::Bf16 };

    #[test]
    fn numbers_are_read_in_their_order() {
        let numbers =
            [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 0.0, 11.0, 12.0, 13.0, 2.0, 0.5, 1.0, 1.0, 0.0, 8.0];
        let expected = LowRank {
            y: 1,
            low: 2,
            x: 3,
            z: 4,
            w: 5,
            scales: Some(8),
            a: 6,
            b: 7,
            bias: None,
            shape: SHAPE,
            accumulate: true,
            out_dtype: FloatDType::F32,
        };
        assert_eq!(LowRank::from_numbers(&numbers).unwrap(), expected);
        assert_eq!(LowRank::from_numbers(&numbers[1..]).unwrap_err().code, Code::Argument);
    }

    #[test]
    fn gradients_may_be_missing() {
        let numbers = [
            1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 3.0, 4.0, 5.0, 0.0, 6.0, 7.0,
            11.0, 12.0, 13.0, 2.0, 0.5, 1.0, 0.0,
        ];
        let expected = LowRankGradients {
            dx: Some(Gradient { at: 1, accumulate: true, dtype: FloatDType::F32 }),
            dz: None,
            da: Some(Gradient { at: 2, accumulate: false, dtype: FloatDType::Bf16 }),
            db: None,
            joined: true,
            dy: 3,
            z: Some(4),
            low: 5,
            w: None,
            scales: None,
            a: 6,
            b: 7,
            shape: SHAPE,
        };
        assert_eq!(LowRankGradients::from_numbers(&numbers).unwrap(), expected);
        assert_eq!(LowRankGradients::from_numbers(&numbers[..25]).unwrap_err().code, Code::Argument);
    }
}
