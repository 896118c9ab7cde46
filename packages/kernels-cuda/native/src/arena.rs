//! Memory for buffers: blocks of the device are kept for the next buffer of their size.
//!
//! The device works in the order of the queue, so a block is free for the next buffer as soon as its own handle ends:
//! whatever will write into it is queued behind the last reader.

use std::collections::BTreeMap;
use std::sync::Arc;

use ift_kernel_abi::{Code, Error, Result};

use crate::driver::Driver;

/// A block of the device. `bytes` is what was asked for, `size` what is taken.
#[derive(Debug)]
pub struct Block {
    pub address: u64,
    pub bytes: usize,
    size: usize,
}

/// Sizes are rounded up to eighths of a power of two, so that blocks fit buffers of nearly their size.
fn size_class(bytes: usize) -> usize {
    let bytes = bytes.max(512);
    let step = (bytes.next_power_of_two() / 16).max(512);
    bytes.next_multiple_of(step)
}

/// Bytes as people read them.
fn written(bytes: usize) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 1024.0 { format!("{mib:.2} MiB") } else { format!("{:.2} GiB", mib / 1024.0) }
}

pub struct Arena {
    driver: Arc<dyn Driver>,
    idle: BTreeMap<usize, Vec<u64>>,
    idle_bytes: usize,
    allocated: usize,
    peak: usize,
    reserved: usize,
    /// Blocks that only the recording under way may use again.
    apart: Option<BTreeMap<usize, Vec<u64>>>,
}

/// Blocks whose addresses a recording holds.
#[derive(Default)]
pub struct Apart(BTreeMap<usize, Vec<u64>>);

impl Arena {
    pub fn new(driver: Arc<dyn Driver>) -> Self {
        Self { driver, idle: BTreeMap::new(), idle_bytes: 0, allocated: 0, peak: 0, reserved: 0, apart: None }
    }

    /// A block of at least `bytes`. `settle` returns when the device has done all that was queued; it is called before memory
    /// goes back to the device for the sake of this block.
    pub fn alloc(&mut self, bytes: usize, settle: impl FnOnce() -> Result<()>) -> Result<Block> {
        if bytes > isize::MAX as usize {
            return Err(Error::new(Code::OutOfMemory, format!("{bytes} bytes are more than a device holds")));
        }
        let size = size_class(bytes);
        let own = self.apart.as_mut().and_then(|apart| apart.get_mut(&size)).and_then(Vec::pop);
        let kept = own.is_none().then(|| self.idle.get_mut(&size).and_then(Vec::pop)).flatten();
        let address = match (own, kept) {
            (Some(address), _) => address,
            (None, Some(address)) => {
                self.idle_bytes -= size;
                address
            }
            (None, None) => {
                let address = self.take(size, settle).map_err(|error| {
                    let memory = self.driver.facts().memory;
                    let message = format!(
                        "{} asked, {} of {} in buffers ({})",
                        written(bytes),
                        written(self.allocated),
                        written(memory),
                        error.message
                    );
                    Error::new(error.code, message)
                })?;
                self.reserved += size;
                address
            }
        };
        self.allocated += bytes;
        self.peak = self.peak.max(self.allocated);
        Ok(Block { address, bytes, size })
    }

    fn take(&mut self, size: usize, settle: impl FnOnce() -> Result<()>) -> Result<u64> {
        match self.driver.alloc(size) {
            // Nobody may wait for a device that records. What its recordings hold is free once they are given up.
            Err(error) if error.code == Code::OutOfMemory && self.apart.is_some() => {
                let message =
                    format!("the device has no memory left for what is recorded: {}", error.message);
                Err(Error::new(Code::Recording, message))
            }
            Err(error) if error.code == Code::OutOfMemory && self.idle_bytes > 0 => {
                // What is kept is given back first. Work in the queue may still use it.
                settle()?;
                self.release_idle();
                self.driver.alloc(size)
            }
            other => other,
        }
    }

    fn release_idle(&mut self) {
        for address in std::mem::take(&mut self.idle).into_values().flatten() {
            self.driver.free(address);
        }
        self.reserved -= self.idle_bytes;
        self.idle_bytes = 0;
    }

    pub fn free(&mut self, block: &Block) {
        self.allocated -= block.bytes;
        if let Some(apart) = &mut self.apart {
            apart.entry(block.size).or_default().push(block.address);
        } else {
            self.idle_bytes += block.size;
            self.idle.entry(block.size).or_default().push(block.address);
        }
    }

    /// From here on blocks that are freed are kept for the recording that begins.
    pub fn set_apart(&mut self) {
        self.apart = Some(BTreeMap::new());
    }

    /// Ends that; nobody gets the recording's blocks until they are taken back.
    pub fn end_apart(&mut self) -> Apart {
        Apart(self.apart.take().unwrap_or_default())
    }

    pub fn take_back(&mut self, apart: Apart) {
        for (size, addresses) in apart.0 {
            self.idle_bytes += size * addresses.len();
            self.idle.entry(size).or_default().extend(addresses);
        }
    }

    /// A block whose bytes are counted elsewhere.
    pub fn count_apart(&mut self, bytes: usize) {
        self.allocated -= bytes;
    }

    pub fn count_again(&mut self, bytes: usize) {
        self.allocated += bytes;
    }

    /// Gives a block back to the device, whose work has ended.
    pub fn forget(&mut self, block: &Block) {
        self.driver.free(block.address);
        self.reserved -= block.size;
    }

    pub fn allocated(&self) -> usize {
        self.allocated
    }

    pub fn peak(&self) -> usize {
        self.peak
    }

    pub fn reserved(&self) -> usize {
        self.reserved
    }

    pub fn reset_peak(&mut self) {
        self.peak = self.allocated;
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.release_idle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_waste_at_most_an_eighth() {
        assert_eq!(size_class(0), 512);
        for bytes in [513usize, 4096, 100_000, 1 << 20, (1 << 30) + 1] {
            let size = size_class(bytes);
            assert!(size >= bytes && size.is_multiple_of(512) && size - bytes <= (bytes / 8).max(512));
            assert_eq!(size_class(size), size);
        }
    }

    #[cfg(feature = "emulated")]
    #[test]
    fn blocks_are_kept_and_counted() {
        let mut arena = Arena::new(Arc::new(crate::driver::emulated::Emulated::new(0, 4096, 0)));
        let first = arena.alloc(1000, || Ok(())).unwrap();
        let address = first.address;
        arena.free(&first);
        assert_eq!((arena.allocated(), arena.peak(), arena.reserved()), (0, 1000, 1024));
        let second = arena.alloc(400, || Ok(())).unwrap();
        assert_ne!(second.address, address);
        let third = arena.alloc(1020, || Ok(())).unwrap();
        assert_eq!(third.address, address);
        assert_eq!(arena.alloc(usize::MAX, || Ok(())).unwrap_err().code, Code::OutOfMemory);
        arena.free(&second);
        arena.free(&third);
        // What is kept goes back for a buffer of another size, after the work that used it.
        let mut settled = false;
        let whole = arena
            .alloc(4096, || {
                settled = true;
                Ok(())
            })
            .unwrap();
        assert!(settled);
        assert_eq!((arena.allocated(), arena.reserved()), (4096, 4096));
        assert_eq!(arena.alloc(1, || Ok(())).unwrap_err().code, Code::OutOfMemory);
        arena.free(&whole);
    }

    #[cfg(feature = "emulated")]
    #[test]
    fn nothing_is_waited_for_or_given_back_while_work_is_recorded() {
        let mut arena = Arena::new(Arc::new(crate::driver::emulated::Emulated::new(0, 4096, 0)));
        let idle = arena.alloc(1024, || Ok(())).unwrap();
        arena.free(&idle);
        arena.set_apart();
        let held = arena.alloc(2048, || Ok(())).unwrap();
        arena.free(&held);
        let error = arena.alloc(4096, || panic!("the device records")).unwrap_err();
        assert_eq!(error.code, Code::Recording);
        assert_eq!(arena.reserved(), 3072);
        let apart = arena.end_apart();
        arena.take_back(apart);
        assert!(arena.alloc(4096, || Ok(())).is_ok());
    }
}
