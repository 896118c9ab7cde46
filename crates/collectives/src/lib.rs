//! Collectives over ranks. The libraries under them belong to the machine: they are looked for when a run has more than
//! one rank, and nothing is linked.

pub mod element;
pub mod library;
pub mod mpi;
pub mod nccl;
mod reduction;

pub use reduction::Reduce;
