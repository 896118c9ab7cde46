//! The CUDA backend of ift: a queue that launches kernels on a device, or on the emulator of one.

#![allow(clippy::too_many_arguments, reason = "the arguments of a kernel are those of the interface")]

pub mod arena;
pub mod comm;
pub mod device;
pub mod driver;
pub mod kernels;
pub mod launch;
pub mod node;
pub mod plan;
pub mod profile;
pub mod queue;
