//! What the native backends of ift share and JavaScript sees: element types, error codes, checked buffer handles and
//! the conversion of numbers into sizes.

mod dtype;
mod error;

pub use dtype::{DType, FloatDType};
pub use error::{Code, Error, Result};
