//! What the native backends of ift share and JavaScript sees: element types, error codes, checked buffer handles, the
//! conversion of numbers into sizes, the arguments of matrix products, and which recorded work is still good.

mod buffers;
mod dtype;
mod error;
mod gemm;
mod low_rank;
mod recordings;
mod size;

pub use buffers::{Buffers, Span};
pub use dtype::{DType, FloatDType};
pub use error::{Code, Error, Result};
pub use gemm::Gemm;
pub use low_rank::{Gradient, LowRank, LowRankGradients, LowRankShape};
pub use recordings::{Recordings, no_recording};
pub use size::{product, size, top_count};
