//! The arguments of a matrix product, which cross from JavaScript as the numbers of one array: reading a dozen arguments one by
//! one would take most of the time of a call.

use crate::{Code, Error, FloatDType, Result, size};

/// y [m, n] = alpha · op(a) · op(b) (+ y) (+ bias [n] on every row); a [m, k] ([k, m] when `trans_a`), b [k, n] ([n, k]
/// when `trans_b`). `dtype` is that of a, b and bias; with scales, b holds the codes of an int8 matrix. Buffers are handles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gemm {
    pub y: u32,
    pub a: u32,
    pub b: u32,
    /// Those of an int8 matrix, whose codes are b.
    pub scales: Option<u32>,
    pub bias: Option<u32>,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub trans_a: bool,
    pub trans_b: bool,
    pub alpha: f32,
    pub accumulate: bool,
    pub dtype: FloatDType,
    pub out_dtype: FloatDType,
}

/// A handle, or none: no handle is 0.
pub(crate) fn handle(number: f64) -> Option<u32> {
    (number != 0.0).then_some(number as u32)
}

/// As many numbers as there are arguments.
pub(crate) fn all<const N: usize>(what: &str, numbers: &[f64]) -> Result<[f64; N]> {
    numbers
        .try_into()
        .map_err(|_| Error::new(Code::Argument, format!("{what} are {N} numbers, found {}", numbers.len())))
}

impl Gemm {
    /// From y, a, b, bias, m, n, k, transA, transB, alpha, accumulate, dtype, outDtype, scales; a bias or scales of 0,
    /// which is no handle, are none.
    pub fn from_numbers(numbers: &[f64]) -> Result<Self> {
        let [y, a, b, bias, m, n, k, trans_a, trans_b, alpha, accumulate, dtype, out_dtype, scales] =
            all("a product's arguments", numbers)?;
        Ok(Self {
            y: y as u32,
            a: a as u32,
            b: b as u32,
            scales: handle(scales),
            bias: handle(bias),
            m: size("m", m)?,
            n: size("n", n)?,
            k: size("k", k)?,
            trans_a: trans_a != 0.0,
            trans_b: trans_b != 0.0,
            alpha: alpha as f32,
            accumulate: accumulate != 0.0,
            dtype: FloatDType::from_code(dtype as u32)?,
            out_dtype: FloatDType::from_code(out_dtype as u32)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [f64; 14] = [1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0, 0.0, 1.0, 0.5, 1.0, 1.0, 0.0, 0.0];

    #[test]
    fn numbers_are_read_in_their_order() {
        let expected = Gemm {
            y: 1,
            a: 2,
            b: 3,
            scales: None,
            bias: None,
            m: 4,
            n: 5,
            k: 6,
            trans_a: false,
            trans_b: true,
            alpha: 0.5,
            accumulate: true,
            dtype: FloatDType::Bf16,
            out_dtype: FloatDType::F32,
        };
        assert_eq!(Gemm::from_numbers(&NUMBERS).unwrap(), expected);
        let mut numbers = NUMBERS;
        numbers[3] = 11.0;
        assert_eq!(Gemm::from_numbers(&numbers).unwrap(), Gemm { bias: Some(11), ..expected });
        numbers[13] = 12.0;
        assert_eq!(
            Gemm::from_numbers(&numbers).unwrap(),
            Gemm { bias: Some(11), scales: Some(12), ..expected }
        );
    }

    #[test]
    fn what_is_no_product_is_refused() {
        let refused = |at: usize, value: f64| {
            let mut numbers = NUMBERS;
            numbers[at] = value;
            Gemm::from_numbers(&numbers).unwrap_err().code
        };
        assert_eq!(refused(4, -1.0), Code::Argument);
        assert_eq!(refused(6, 0.5), Code::Argument);
        assert_eq!(refused(11, 3.0), Code::Dtype);
        assert_eq!(Gemm::from_numbers(&NUMBERS[1..]).unwrap_err().code, Code::Argument);
    }
}
