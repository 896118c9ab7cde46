//! What the backend needs of a device, and its two kinds: a GPU and the emulator of one.

use ift_kernel_abi::{FloatDType, Result};

use crate::kernels::geometry::Geometry;

#[cfg(not(feature = "emulated"))]
pub mod api;
#[cfg(not(feature = "emulated"))]
pub mod cuda;
#[cfg(feature = "emulated")]
pub mod emulated;
#[cfg(not(feature = "emulated"))]
mod library;
#[cfg(not(feature = "emulated"))]
mod lt;
#[cfg(not(feature = "emulated"))]
pub mod probe;

/// A product y [m, n] = alpha · op(a) · op(b) (+ y) (+ bias [n]), row-major; addresses on the device.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub trans_a: bool,
    pub trans_b: bool,
    pub alpha: f32,
    pub accumulate: bool,
    pub dtype: FloatDType,
    pub out_dtype: FloatDType,
    pub y: u64,
    pub a: u64,
    pub b: u64,
    /// 0 for none.
    pub bias: u64,
}

/// What one of several devices is.
#[derive(Clone, Debug)]
pub struct Facts {
    pub name: String,
    /// Major and minor.
    pub capability: (u32, u32),
    pub multiprocessors: u32,
    pub memory: usize,
}

/// One device and one line of work on it: everything happens in the order of the calls.
pub trait Driver: Send + Sync {
    fn facts(&self) -> &Facts;
    /// Makes the device usable from this thread.
    fn attach(&self) -> Result<()>;
    /// Uninitialised bytes, aligned to 256.
    fn alloc(&self, bytes: usize) -> Result<u64>;
    fn free(&self, address: u64);
    /// Copies to the device; `data` may change once the call returns.
    fn upload(&self, to: u64, data: &[u8]) -> Result<()>;
    /// Copies `bytes` to the device that `fill` writes, piece after piece, into memory of the driver's own.
    fn upload_filled(
        &self,
        to: u64,
        bytes: usize,
        fill: &mut dyn FnMut(&mut [u8]) -> Result<()>,
    ) -> Result<()>;
    /// Copies from the device, after all work before it.
    fn download(&self, from: u64, data: &mut [u8]) -> Result<()>;
    /// Starts a kernel; `args` are its C struct.
    fn launch(&self, name: &str, geometry: &Geometry, shared: usize, args: &[u8]) -> Result<()>;
    fn gemm(&self, product: &Product) -> Result<()>;
    /// From here on launches, products and uploads are written down instead of done.
    fn begin_recording(&self) -> Result<()>;
    /// Ends that and gives the recording a number.
    fn end_recording(&self) -> Result<u64>;
    /// Does what was recorded.
    fn replay(&self, recording: u64) -> Result<()>;
    fn forget_recording(&self, recording: u64);
    /// The line of work as libraries of the device take it: a CUDA stream.
    fn stream(&self) -> usize;
    /// Waits for all work; an error of the work itself surfaces here at the latest.
    fn synchronize(&self) -> Result<()>;
}
