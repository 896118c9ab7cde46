//! What the backend needs of a device, and its two kinds: a GPU and the emulator of one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ift_kernel_abi::{Code, Error, FloatDType, Result};

use crate::plan::geometry::Geometry;
use crate::plan::inventory;
use crate::profile::KernelTime;

#[cfg(not(feature = "emulated"))]
pub mod api;
#[cfg(not(feature = "emulated"))]
pub mod cuda;
#[cfg(feature = "emulated")]
pub mod emulated;
#[cfg(not(feature = "emulated"))]
mod functions;
#[cfg(not(feature = "emulated"))]
mod graphs;
#[cfg(not(feature = "emulated"))]
mod images;
#[cfg(not(feature = "emulated"))]
mod library;
#[cfg(not(feature = "emulated"))]
mod lt;
#[cfg(not(feature = "emulated"))]
pub mod probe;
#[cfg(not(feature = "emulated"))]
mod staging;
#[cfg(not(feature = "emulated"))]
mod timing;
#[cfg(not(feature = "emulated"))]
mod trace;

/// A product y [m, n] = alpha · op(a) · op(b) (+ y) (+ bias [n]), row-major; addresses on the device. a and b are of `dtype`, y
/// and, at the driver, bias of `out_dtype`.
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

impl Product {
    /// Whether cuBLASLt has products of these types that add up in f32: outputs of the type of the inputs or in f32, the bias like
    /// the output ("Supported data types", documentation of cublasLtMatmul).
    pub fn has_types_of_library(&self) -> bool {
        self.out_dtype == self.dtype || self.out_dtype == FloatDType::F32
    }

    /// An error for other types.
    fn expect_types_of_library(&self) -> Result<()> {
        if self.has_types_of_library() {
            return Ok(());
        }
        let (from, to) = (self.dtype.name(), self.out_dtype.name());
        Err(Error::new(Code::Internal, format!("cuBLASLt has no product of {from} with an output in {to}")))
    }

    /// Its shape for a profile: `128x4096x4096 nt bf16 -> +f32`.
    pub fn detail(&self) -> String {
        let turned = |trans| if trans { 't' } else { 'n' };
        let (a, b, add) =
            (turned(self.trans_a), turned(self.trans_b), if self.accumulate { "+" } else { "" });
        let Self { m, n, k, .. } = self;
        format!("{m}x{n}x{k} {a}{b} {} -> {add}{}", self.dtype.name(), self.out_dtype.name())
    }
}

/// A kernel as it was built for the device. What is measured of it is 0 where it is emulated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelFacts {
    pub name: String,
    pub registers: u32,
    pub local_bytes: u32,
    pub shared_bytes: u32,
    pub const_bytes: u32,
    pub largest_block: u32,
    /// What its launches ask for at most.
    pub dynamic_shared: u32,
    pub error: Option<String>,
}

/// An error for a kernel that `inventory` does not list, so that none is launched that it leaves out.
fn expect_listed(name: &str) -> Result<()> {
    if inventory::kernels().contains_key(name) {
        return Ok(());
    }
    Err(Error::new(Code::Internal, format!("{name} is not in the list of kernels")))
}

/// What a mutex guards, also where a thread has panicked with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// Ends a recording that is under way, if there is one, and forgets it.
    fn abandon_recording(&self);
    /// The line of work as libraries of the device take it: a CUDA stream.
    fn stream(&self) -> usize;
    /// Every kernel that is launched, as the device has it.
    fn inventory(&self) -> Vec<KernelFacts>;
    /// Measures each launch and product from here on.
    fn start_profile(&self) -> Result<()>;
    /// Ends that, after all work before it.
    fn stop_profile(&self) -> Result<Vec<KernelTime>>;
    /// Waits for all work; an error of the work itself surfaces here at the latest.
    fn synchronize(&self) -> Result<()>;
}
