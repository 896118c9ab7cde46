//! What the native backends of ift share and JavaScript sees: element types, error codes, checked buffer handles, the
//! conversion of numbers into sizes, which operands may share memory, the heads of attention, the arguments of matrix products, and which recorded work is still good.

mod attention;
mod buffers;
mod dtype;
mod error;
mod gemm;
mod low_rank;
mod operands;
mod recordings;
mod size;

pub use attention::{Heads, MAX_HEAD_DIM};
pub use buffers::{Buffers, Span};
pub use dtype::{DType, FloatDType};
pub use error::{Code, Error, Result};
pub use gemm::Gemm;
pub use low_rank::{Gradient, LowRank, LowRankGradients, LowRankShape};
pub use operands::{Access, Name, Operands};
pub use recordings::{Recordings, no_recording};
pub use size::{product, size, top_count};
