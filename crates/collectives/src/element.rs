//! Arithmetic of a reduction: in f32 for every float type, in rank order, so that the bits are the same on every rank
//! and in every run.

use half::{bf16, f16};
use ift_kernel_abi::{Code, DType, Error, Result};

use crate::Reduce;

fn fold<T: Copy, const SIZE: usize>(
    out: &mut [u8],
    parts: &[u8],
    read: impl Fn([u8; SIZE]) -> T,
    write: impl Fn(T) -> [u8; SIZE],
    join: impl Fn(T, T) -> T,
) {
    let at = |index: usize| read(parts[index..index + SIZE].try_into().expect("a slice of SIZE bytes"));
    let bytes = out.len();
    for (index, place) in out.chunks_exact_mut(SIZE).enumerate() {
        let first = index * SIZE;
        let ranks = (first..parts.len()).step_by(bytes).map(at);
        // There is at least one rank.
        let value = ranks.reduce(&join).expect("a part of every rank");
        place.copy_from_slice(&write(value));
    }
}

/// out [n] = the reduction of parts [ranks, n], rank by rank. 16-bit floats are added up in f32 and rounded once.
pub fn reduce(out: &mut [u8], parts: &[u8], dtype: DType, op: Reduce) -> Result<()> {
    if out.is_empty() {
        return Ok(());
    }
    let float = |a: f32, b: f32| match op {
        Reduce::Sum => a + b,
        // A NaN of any rank stays one, as in a sum.
        Reduce::Max if a.is_nan() || b.is_nan() => f32::NAN,
        Reduce::Max => a.max(b),
    };
    match dtype {
        DType::F32 => fold(out, parts, f32::from_ne_bytes, f32::to_ne_bytes, float),
        DType::Bf16 => fold(
            out,
            parts,
            |bytes| bf16::from_ne_bytes(bytes).to_f32(),
            |x| bf16::from_f32(x).to_ne_bytes(),
            float,
        ),
        DType::F16 => fold(
            out,
            parts,
            |bytes| f16::from_ne_bytes(bytes).to_f32(),
            |x| f16::from_f32(x).to_ne_bytes(),
            float,
        ),
        DType::I32 => fold(out, parts, i32::from_ne_bytes, i32::to_ne_bytes, |a, b| match op {
            Reduce::Sum => a.wrapping_add(b),
            Reduce::Max => a.max(b),
        }),
        DType::U8 => {
            return Err(Error::new(
                Code::Dtype,
                "bytes cannot be reduced over ranks, expected a number type",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_ne_bytes()).collect()
    }

    #[test]
    fn ranks_are_added_in_their_order() {
        let mut out = [0; 8];
        reduce(&mut out, &bytes(&[1e8, 1.0, -1e8, 2.0, 1.0, 3.0]), DType::F32, Reduce::Sum).unwrap();
        assert_eq!(out.to_vec(), bytes(&[1.0, 6.0]));
        reduce(&mut out, &bytes(&[1.0, f32::NAN, 5.0, 1.0]), DType::F32, Reduce::Max).unwrap();
        assert_eq!(f32::from_ne_bytes(out[..4].try_into().unwrap()), 5.0);
        assert!(f32::from_ne_bytes(out[4..].try_into().unwrap()).is_nan());
    }

    #[test]
    fn sixteen_bits_are_rounded_once() {
        let part = |x: f32| bf16::from_f32(x).to_ne_bytes();
        // 256 + 1 + 1 is 258 in f32; rounded after each sum it would stay 256.
        let parts = [part(256.0), part(1.0), part(1.0)].concat();
        let mut out = [0; 2];
        reduce(&mut out, &parts, DType::Bf16, Reduce::Sum).unwrap();
        assert_eq!(bf16::from_ne_bytes(out).to_f32(), 258.0);
        let parts = [f16::from_f32(2048.0), f16::from_f32(1.0), f16::from_f32(1.0)].map(f16::to_ne_bytes);
        reduce(&mut out, &parts.concat(), DType::F16, Reduce::Sum).unwrap();
        assert_eq!(f16::from_ne_bytes(out).to_f32(), 2050.0);
        assert_eq!(reduce(&mut out, &[0; 4], DType::U8, Reduce::Sum).unwrap_err().code, Code::Dtype);
    }
}
