//! The kernels of the device, one family a file: each checks every length and queues the launch.

use ift_kernel_abi::{Code, Error, Result};

pub mod activations;
pub mod adamw;
pub mod attention;
pub mod clip;
pub mod columns;
pub mod copy;
pub mod cross_entropy;
pub mod elementwise;
pub mod gemm;
pub mod geometry;
pub mod inventory;
pub mod low_rank;
pub mod norm;
mod product;
pub mod quantized;
pub mod random;
pub mod rope;
pub mod rows;
pub mod top_rows;

/// A size as the 32-bit field of a kernel's arguments.
pub fn narrow(name: &str, value: usize) -> Result<i32> {
    i32::try_from(value)
        .map_err(|_| Error::new(Code::Argument, format!("{name}: {value} is more than a kernel counts")))
}
