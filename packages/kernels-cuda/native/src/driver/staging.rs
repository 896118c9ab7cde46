//! Pinned memory that bytes pass through on their way to the GPU, which copies from it by itself: the caller's memory is
//! free at once, and nobody waits for the queue of the device.

use std::ffi::c_uint;
use std::ptr::null_mut;

use ift_kernel_abi::Result;

use super::api::{Api, Handle};

/// Bytes of a half.
const BYTES: usize = 16 << 20;
/// What pieces of a half begin at.
const ALIGN: usize = 256;

/// A half of the memory, and the event behind the last copy from it.
struct Half {
    memory: Handle,
    copied: Handle,
}

/// Two halves, so that one is filled while the other is copied.
#[derive(Default)]
pub struct Staging {
    halves: Vec<Half>,
    /// The half that is filled, and how far it is.
    turn: usize,
    used: usize,
}

impl Half {
    fn new(api: &Api) -> Result<Self> {
        const NO_TIMING: c_uint = 2;
        let (mut memory, mut copied) = (null_mut(), null_mut());
        // SAFETY: pointers to locals; the context is current.
        unsafe {
            api.expect("cuMemHostAlloc", (api.host_alloc)(&raw mut memory, BYTES, 0))?;
            let created = api.expect("cuEventCreate", (api.event_create)(&raw mut copied, NO_TIMING));
            if let Err(error) = created {
                (api.host_free)(memory);
                return Err(error);
            }
        }
        Ok(Self { memory, copied })
    }
}

impl Staging {
    /// Copies `bytes` that `fill` writes to the device, piece after piece. The context is current and nothing is recorded.
    pub fn copy(
        &mut self,
        api: &Api,
        stream: Handle,
        to: u64,
        bytes: usize,
        fill: &mut dyn FnMut(&mut [u8]) -> Result<()>,
    ) -> Result<()> {
        while self.halves.len() < 2 {
            self.halves.push(Half::new(api)?);
        }
        let mut at = 0;
        while at < bytes {
            // A small copy goes into one piece; a large one uses what is left.
            if self.used + (bytes - at).min(BYTES / 16) > BYTES {
                self.turn(api, stream)?;
            }
            let length = (bytes - at).min(BYTES - self.used);
            // SAFETY: within the half; the copies from this part of it, if there were any, have ended.
            unsafe {
                let memory = self.halves[self.turn].memory.cast::<u8>().add(self.used);
                fill(std::slice::from_raw_parts_mut(memory, length))?;
                let status = (api.upload)(to + at as u64, memory.cast(), length, stream);
                api.expect("cuMemcpyHtoD", status)?;
            }
            self.used = (self.used + length).next_multiple_of(ALIGN);
            at += length;
        }
        Ok(())
    }

    /// Goes on with the other half, once the copies from it have ended.
    fn turn(&mut self, api: &Api, stream: Handle) -> Result<()> {
        let full = &self.halves[self.turn];
        let next = (self.turn + 1) % self.halves.len();
        // SAFETY: events of `new`; one that was never recorded has ended.
        unsafe {
            api.expect("cuEventRecord", (api.event_record)(full.copied, stream))?;
            let waited = (api.event_synchronize)(self.halves[next].copied);
            api.expect("waiting for a copy", waited)?;
        }
        (self.turn, self.used) = (next, 0);
        Ok(())
    }

    /// # Safety
    /// The context is current and no copy runs.
    pub unsafe fn free(&mut self, api: &Api) {
        for Half { memory, copied } in self.halves.drain(..) {
            // SAFETY: from `new`.
            unsafe {
                (api.event_destroy)(copied);
                (api.host_free)(memory);
            }
        }
    }
}
