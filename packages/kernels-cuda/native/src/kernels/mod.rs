//! The kernels of the device, one family a file: each checks every length and queues the launch.

pub mod activations;
pub mod adafactor;
pub mod adamw;
pub mod attention;
pub mod clip;
pub mod columns;
pub mod copy;
pub mod cross_entropy;
pub mod elementwise;
pub mod gemm;
pub mod lion;
pub mod low_rank;
pub mod norm;
mod product;
pub mod quantized;
pub mod random;
pub mod rope;
pub mod rows;
pub mod top_rows;
