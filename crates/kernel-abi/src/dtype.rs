//! Element types and the codes under which they cross from JavaScript.

use crate::{Code, Error, Result};

/// Every element type of a buffer; the discriminant is the code of `@ift/tensor`'s `DType` in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum DType {
    F32 = 0,
    Bf16 = 1,
    F16 = 2,
    I32 = 3,
    U8 = 4,
}

impl DType {
    pub fn from_code(code: u32) -> Result<Self> {
        [Self::F32, Self::Bf16, Self::F16, Self::I32, Self::U8]
            .get(code as usize)
            .copied()
            .ok_or_else(|| Error::new(Code::Dtype, format!("unknown dtype code {code}, expected 0 to 4")))
    }

    /// Bytes of one element.
    pub const fn size(self) -> usize {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::Bf16 | Self::F16 => 2,
            Self::U8 => 1,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::F16 => "f16",
            Self::I32 => "i32",
            Self::U8 => "u8",
        }
    }
}

/// The types that arithmetic kernels accept, with the same codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum FloatDType {
    F32 = 0,
    Bf16 = 1,
    F16 = 2,
}

impl FloatDType {
    pub fn from_code(code: u32) -> Result<Self> {
        match DType::from_code(code)? {
            DType::F32 => Ok(Self::F32),
            DType::Bf16 => Ok(Self::Bf16),
            DType::F16 => Ok(Self::F16),
            other => {
                Err(Error::new(Code::Dtype, format!("expected f32, bf16 or f16, found {}", other.name())))
            }
        }
    }

    pub const fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 | Self::F16 => 2,
        }
    }

    pub const fn name(self) -> &'static str {
        self.any().name()
    }

    pub const fn any(self) -> DType {
        match self {
            Self::F32 => DType::F32,
            Self::Bf16 => DType::Bf16,
            Self::F16 => DType::F16,
        }
    }
}

impl From<FloatDType> for DType {
    fn from(dtype: FloatDType) -> Self {
        dtype.any()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_strangers_are_refused() {
        for code in 0..5 {
            assert_eq!(DType::from_code(code).unwrap() as u32, code);
        }
        assert_eq!(DType::from_code(5).unwrap_err().code, Code::Dtype);
        assert_eq!(FloatDType::from_code(2).unwrap(), FloatDType::F16);
        assert_eq!(FloatDType::from_code(3).unwrap_err().code, Code::Dtype);
    }
}
