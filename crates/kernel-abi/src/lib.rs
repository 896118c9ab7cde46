//! What the native backends of ift share and JavaScript sees: element types, error codes, checked buffer handles, the
//! conversion of numbers into sizes and the arguments of matrix products.

mod buffers;
mod dtype;
mod error;
mod gemm;
mod low_rank;
mod size;

pub use buffers::{Buffers, Span};
pub use dtype::{DType, FloatDType};
pub use error::{Code, Error, Result};
pub use gemm::Gemm;
pub use low_rank::{Gradient, LowRank, LowRankGradients, LowRankShape};
pub use size::{product, size, top_count};
