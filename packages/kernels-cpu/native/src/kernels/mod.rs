//! The kernels of the device, one family a file. Each is a method of [`crate::device::Device`]: it checks every length,
//! then queues the loop.

pub mod activations;
pub mod adafactor;
pub mod adamw;
pub mod attention;
pub mod columns;
pub mod copy;
pub mod cross_entropy;
pub mod elementwise;
pub mod gemm;
pub mod layer_norm;
pub mod lion;
pub mod low_rank;
mod map;
pub mod norms;
pub mod philox;
pub mod quantized;
pub mod random;
pub mod rms_norm;
pub mod rope;
pub mod rows;
pub mod top_rows;
