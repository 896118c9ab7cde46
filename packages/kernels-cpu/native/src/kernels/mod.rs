//! The kernels of the device, one family a file. Each is a method of [`crate::device::Device`]: it checks every length,
//! then queues the loop.

pub mod activations;
pub mod adamw;
pub mod attention;
pub mod columns;
pub mod copy;
pub mod cross_entropy;
pub mod elementwise;
pub mod gemm;
pub mod layer_norm;
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

/// A slice of which every part of a job writes its own elements.
struct Shared<T>(*mut T);

// SAFETY: the parts write different elements.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    fn new(slice: &mut [T]) -> Self {
        Self(slice.as_mut_ptr())
    }

    /// # Safety
    /// `index` is inside the slice, which is alive, and no other part writes to it.
    unsafe fn set(&self, index: usize, value: T) {
        unsafe { self.0.add(index).write(value) };
    }
}
