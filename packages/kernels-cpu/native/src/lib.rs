//! The CPU backend of ift: a queue of kernels over a thread pool.

pub mod arena;
pub mod attention;
pub mod device;
pub mod dtype;
pub mod element;
pub mod gemm;
pub mod isa;
pub mod kernels;
pub mod math;
pub mod pool;
pub mod queue;
