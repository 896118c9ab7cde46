//! What is launched, in numbers alone: the names of the kernels, their grids and their shared memory.

pub mod attention;
pub mod geometry;
pub mod inventory;
