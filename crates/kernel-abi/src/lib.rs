//! What the native backends of ift share and JavaScript sees: element types, error codes, checked buffer handles and
//! the conversion of numbers into sizes.

mod buffers;
mod dtype;
mod error;
mod size;

pub use buffers::{Buffers, Span};
pub use dtype::{DType, FloatDType};
pub use error::{Code, Error, Result};
pub use size::{product, size, top_count};
