//! The CPU backend of ift: a queue of kernels over a thread pool.

pub mod attention;
pub mod dtype;
pub mod element;
pub mod gemm;
pub mod isa;
pub mod pool;
