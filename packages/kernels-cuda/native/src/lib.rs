//! The CUDA backend of ift: a queue that launches kernels on a device, or on the emulator of one.

#![allow(clippy::too_many_arguments, reason = "the arguments of a kernel are those of the interface")]
#![cfg_attr(not(feature = "emulated"), allow(dead_code, reason = "devices are opened by their feature"))]

pub mod arena;
pub mod device;
pub mod driver;
pub mod kernels;
pub mod launch;
pub mod node;
pub mod queue;
