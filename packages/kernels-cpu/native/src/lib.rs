//! The CPU backend of ift: a queue of kernels over a thread pool.

#![allow(clippy::too_many_arguments, reason = "the arguments of a kernel are those of the interface")]

pub mod affinity;
pub mod arena;
pub mod attention;
pub mod available;
pub mod comm;
pub mod device;
pub mod dtype;
pub mod element;
pub mod faults;
pub mod gemm;
pub mod isa;
pub mod kernels;
pub mod mapped;
pub mod math;
pub mod memory;
pub mod node;
pub mod pool;
pub mod profile;
pub mod quantized;
pub mod queue;
pub mod roofs;
pub(crate) mod row;
