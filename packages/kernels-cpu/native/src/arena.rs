//! Memory for buffers, taken from the system in large segments and kept for the next buffer.
//!
//! The device runs its kernels in the order in which they were queued, so a block is free for the next buffer as soon
//! as its own handle ends: whatever will write into it is queued behind the last reader. Only giving a segment back to
//! the system has to wait for the queue.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ift_kernel_abi::{Code, Error, Result};
use memmap2::MmapMut;

use crate::available::available;

/// Alignment of a block, a cache line and the widest vector.
const ALIGN: usize = 64;
/// Blocks below stay out of the segments of larger ones, which they would cut up.
const SMALL: usize = 64 << 10;
/// Unit of a segment: a huge page.
const UNIT: usize = 2 << 20;
const LARGEST_STEP: usize = 256 << 20;
/// Blocks from here on join their free neighbours at once: a step has few of them, and each is a hole for many others.
const HUGE: usize = 16 << 20;

/// A block of the arena. `bytes` is what was asked for, `size` what is taken.
#[derive(Debug)]
pub struct Block {
    pub address: usize,
    pub bytes: usize,
    size: usize,
}

/// Memory from the system. What lies behind `used` was never part of a block: the system has not had to find it yet.
struct Segment {
    memory: MmapMut,
    used: usize,
}

/// Free space and segments of one range of block sizes.
#[derive(Default)]
struct Region {
    /// By their addresses.
    segments: BTreeMap<usize, Segment>,
    /// Length of every free range by its address, neighbours joined.
    by_address: BTreeMap<usize, usize>,
    by_size: BTreeSet<(usize, usize)>,
    /// Freed blocks by their size, not joined with their neighbours yet: a step asks for the sizes of the step before.
    recent: HashMap<usize, Vec<usize>>,
    reserved: usize,
}

impl Region {
    /// The block of this size that was freed last, or part of a free range, or of what was never used. In this order:
    /// memory used for the first time is memory that the system has to find and clear, and the process is larger by it
    /// from then on.
    fn take(&mut self, size: usize) -> Option<usize> {
        if let Some(address) = self.recent.get_mut(&size).and_then(Vec::pop) {
            return Some(address);
        }
        let cut = self.cut(size).or_else(|| {
            self.join();
            self.cut(size)
        });
        cut.or_else(|| self.extend(size))
    }

    /// From the smallest free range that fits, at its lowest address.
    fn cut(&mut self, size: usize) -> Option<usize> {
        let &(length, address) = self.by_size.range((size, 0)..).next()?;
        self.by_size.remove(&(length, address));
        self.by_address.remove(&address);
        if length > size {
            self.by_size.insert((length - size, address + size));
            self.by_address.insert(address + size, length - size);
        }
        Some(address)
    }

    /// From the first segment whose end was never used and is long enough, together with the free range before it.
    fn extend(&mut self, size: usize) -> Option<usize> {
        for (&start, segment) in &mut self.segments {
            let (end, fresh) = (start + segment.used, segment.memory.len() - segment.used);
            let before = self.by_address.range(start..end).next_back();
            let before = before.filter(|(address, length)| *address + *length == end);
            let (address, free) = before.map_or((end, 0), |(address, length)| (*address, *length));
            if fresh == 0 || free + fresh < size {
                continue;
            }
            if free > 0 {
                self.by_address.remove(&address);
                self.by_size.remove(&(free, address));
            }
            segment.used = address + size - start;
            return Some(address);
        }
        None
    }

    /// Makes free ranges of the blocks freed lately.
    fn join(&mut self) {
        for (size, addresses) in std::mem::take(&mut self.recent) {
            addresses.into_iter().for_each(|address| self.put(address, size));
        }
    }

    fn put(&mut self, mut address: usize, mut length: usize) {
        // Two segments may be neighbours by chance; they stay apart, as either may go back to the system.
        if let Some((&before, &size)) = self.by_address.range(..address).next_back()
            && before + size == address
            && !self.segments.contains_key(&address)
        {
            self.by_address.remove(&before);
            self.by_size.remove(&(size, before));
            address = before;
            length += size;
        }
        let end = address + length;
        if !self.segments.contains_key(&end)
            && let Some(size) = self.by_address.remove(&end)
        {
            self.by_size.remove(&(size, end));
            length += size;
        }
        self.by_address.insert(address, length);
        self.by_size.insert((length, address));
    }

    fn grow(&mut self, size: usize) -> std::io::Result<()> {
        let step = (self.reserved / 4).clamp(UNIT, LARGEST_STEP);
        let length = size.max(step).next_multiple_of(UNIT);
        let segment = MmapMut::map_anon(length)?;
        #[cfg(target_os = "linux")]
        // Where huge pages are switched off the memory is as good.
        let _ = segment.advise(memmap2::Advice::HugePage);
        self.segments.insert(segment.as_ptr() as usize, Segment { memory: segment, used: 0 });
        self.reserved += length;
        Ok(())
    }

    fn take_idle(&mut self) -> Vec<MmapMut> {
        self.join();
        let free = |address| self.by_address.get(address).copied().unwrap_or(0);
        let idle: Vec<_> = self
            .segments
            .iter()
            .filter(|(address, segment)| free(address) == segment.used)
            .map(|(address, _)| *address)
            .collect();
        idle.into_iter()
            .filter_map(|address| {
                let Segment { memory, used } = self.segments.remove(&address)?;
                if used > 0 {
                    self.by_address.remove(&address);
                    self.by_size.remove(&(used, address));
                }
                self.reserved -= memory.len();
                Some(memory)
            })
            .collect()
    }
}

/// Blocks of 64-byte aligned memory with exact accounting.
#[derive(Default)]
pub struct Arena {
    small: Region,
    large: Region,
    allocated: usize,
    peak: usize,
    /// Freed blocks by their size that only the recording under way may use again.
    apart: Option<HashMap<usize, Vec<usize>>>,
}

/// Free blocks whose addresses a recording holds.
#[derive(Default)]
pub struct Apart(HashMap<usize, Vec<usize>>);

impl Arena {
    /// Bytes asked for by blocks alive.
    pub fn allocated(&self) -> usize {
        self.allocated
    }

    pub fn peak(&self) -> usize {
        self.peak
    }

    /// Bytes taken from the system.
    pub fn reserved(&self) -> usize {
        self.small.reserved + self.large.reserved
    }

    pub fn reset_peak(&mut self) {
        self.peak = self.allocated;
    }

    fn region(&mut self, size: usize) -> &mut Region {
        if size < SMALL { &mut self.small } else { &mut self.large }
    }

    /// A block with what an earlier one left in it. An error of code `OutOfMemory` may be cured by
    /// [`Arena::take_idle`], once the queue is past its present end.
    pub fn alloc(&mut self, bytes: usize) -> Result<Block> {
        let size = bytes.max(1).checked_next_multiple_of(ALIGN).filter(|size| *size <= isize::MAX as usize);
        let size = size.ok_or_else(|| out_of_memory(bytes, available()))?;
        let apart = self.apart.as_mut().and_then(|apart| apart.get_mut(&size)).and_then(Vec::pop);
        let region = self.region(size);
        let address = match apart.or_else(|| region.take(size)) {
            Some(address) => address,
            None => {
                let available = available();
                if available.is_some_and(|available| size > available) {
                    return Err(out_of_memory(bytes, available));
                }
                region.grow(size).map_err(|_| out_of_memory(bytes, available))?;
                region.take(size).ok_or_else(|| out_of_memory(bytes, available))?
            }
        };
        self.allocated += bytes;
        self.peak = self.peak.max(self.allocated);
        Ok(Block { address, bytes, size })
    }

    pub fn free(&mut self, block: &Block) {
        self.allocated -= block.bytes;
        match &mut self.apart {
            Some(apart) => apart.entry(block.size).or_default().push(block.address),
            None => self.give_back(block.address, block.size),
        }
    }

    fn give_back(&mut self, address: usize, size: usize) {
        let region = self.region(size);
        if size < HUGE {
            region.recent.entry(size).or_default().push(address);
        } else {
            region.put(address, size);
        }
    }

    /// From here on blocks that are freed are kept for the recording that begins.
    pub fn set_apart(&mut self) {
        self.apart = Some(HashMap::new());
    }

    /// Ends that; nobody gets the recording's blocks until they are taken back.
    pub fn end_apart(&mut self) -> Apart {
        Apart(self.apart.take().unwrap_or_default())
    }

    pub fn take_back(&mut self, apart: Apart) {
        for (size, addresses) in apart.0 {
            addresses.into_iter().for_each(|address| self.give_back(address, size));
        }
    }

    /// Segments without a block, to be dropped when no queued kernel uses them any more.
    pub fn take_idle(&mut self) -> Vec<MmapMut> {
        let mut idle = self.large.take_idle();
        idle.append(&mut self.small.take_idle());
        idle
    }
}

fn out_of_memory(bytes: usize, available: Option<usize>) -> Error {
    let left = available
        .map_or_else(|| "the system has less".to_owned(), |bytes| format!("{bytes} bytes are available"));
    Error::new(Code::OutOfMemory, format!("a buffer of {bytes} bytes was asked for, {left}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_apart_and_counted() {
        let mut arena = Arena::default();
        let blocks: Vec<_> = [0, 1, 64, 65, 100_000, 5 << 20].map(|bytes| arena.alloc(bytes).unwrap()).into();
        let mut ranges: Vec<_> =
            blocks.iter().map(|block| (block.address, block.address + block.size)).collect();
        ranges.sort_unstable();
        assert!(ranges.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        assert!(blocks.iter().all(|block| block.address % ALIGN == 0 && block.size >= block.bytes));
        let total: usize = blocks.iter().map(|block| block.bytes).sum();
        assert_eq!((arena.allocated(), arena.peak()), (total, total));
        blocks.iter().for_each(|block| arena.free(block));
        assert_eq!((arena.allocated(), arena.peak()), (0, total));
        arena.reset_peak();
        assert_eq!(arena.peak(), 0);
    }

    #[test]
    fn freed_neighbours_join_and_serve_again() {
        let mut arena = Arena::default();
        let blocks: Vec<_> = (0..8).map(|_| arena.alloc(1 << 20).unwrap()).collect();
        let reserved = arena.reserved();
        for index in [1, 3, 2, 0, 7, 5, 6, 4] {
            arena.free(&blocks[index]);
        }
        for _ in 0..100 {
            let block = arena.alloc(2 << 20).unwrap();
            arena.free(&block);
        }
        assert_eq!(arena.reserved(), reserved);
        let idle = arena.take_idle();
        assert_eq!(idle.iter().map(|segment| segment.len()).sum::<usize>(), reserved);
        assert_eq!(arena.reserved(), 0);
    }

    #[test]
    fn memory_that_was_used_serves_before_memory_that_was_not() {
        let mut arena = Arena::default();
        // Its segment of whole huge pages has 1.5 MiB more.
        let first = arena.alloc(13 << 19).unwrap();
        arena.free(&first);
        let next = arena.alloc(1 << 20).unwrap();
        assert_eq!(next.address, first.address);
        assert_eq!(arena.large.segments[&first.address].used, 13 << 19);
        // What is left of the block is too short now; with what was never used it is long enough.
        let last = arena.alloc(6 << 20).unwrap();
        assert_eq!(last.address, first.address + (1 << 20));
        assert_eq!(arena.large.segments[&first.address].used, 7 << 20);
    }

    #[test]
    fn a_block_at_the_end_of_what_was_used_grows_into_the_rest() {
        let mut arena = Arena::default();
        let blocks: Vec<_> = (0..4).map(|_| arena.alloc(256 << 10).unwrap()).collect();
        let reserved = arena.reserved();
        arena.free(&blocks[3]);
        let longer = arena.alloc(1 << 20).unwrap();
        assert_eq!((longer.address, arena.reserved()), (blocks[3].address, reserved));
        for block in blocks.iter().take(3).chain([&longer]) {
            arena.free(block);
        }
        assert_eq!(arena.take_idle().len(), 1);
        assert_eq!(arena.reserved(), 0);
    }

    #[test]
    fn what_a_recording_frees_serves_nobody_else_until_it_is_taken_back() {
        let mut arena = Arena::default();
        let before = arena.alloc(1000).unwrap();
        arena.set_apart();
        let first = arena.alloc(1000).unwrap();
        let address = first.address;
        arena.free(&first);
        assert_eq!(arena.alloc(1000).unwrap().address, address);
        arena.free(&first);
        let apart = arena.end_apart();
        assert_eq!(arena.allocated(), 1000);
        let others: Vec<_> = (0..100).map(|_| arena.alloc(1000).unwrap()).collect();
        assert!(others.iter().all(|block| block.address != address));
        arena.free(&before);
        others.iter().for_each(|block| arena.free(block));
        assert!(arena.take_idle().is_empty());
        arena.take_back(apart);
        assert_eq!(arena.take_idle().len(), 1);
        assert_eq!((arena.allocated(), arena.reserved()), (0, 0));
    }

    #[test]
    fn a_random_sequence_keeps_its_data() {
        let mut arena = Arena::default();
        let mut alive: Vec<(Block, u8)> = Vec::new();
        let mut state = 1u64;
        let mut next = |n: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % n
        };
        for step in 0..3000 {
            if next(3) == 0 && !alive.is_empty() {
                let (block, mark) = alive.swap_remove(next(alive.len() as u64) as usize);
                // SAFETY: the block is alive.
                let data = unsafe { std::slice::from_raw_parts(block.address as *const u8, block.bytes) };
                assert!(data.iter().all(|byte| *byte == mark));
                arena.free(&block);
            } else if alive.len() < 200 {
                let scale = next(18);
                let bytes = next(1 << scale) as usize;
                let block = arena.alloc(bytes).unwrap();
                // SAFETY: as above.
                unsafe { std::ptr::write_bytes(block.address as *mut u8, step as u8, bytes) };
                alive.push((block, step as u8));
            }
        }
    }

    #[test]
    fn what_no_machine_has_is_an_error_with_numbers() {
        let error = Arena::default().alloc(1 << 50).unwrap_err();
        assert_eq!(error.code, Code::OutOfMemory);
        assert!(error.message.contains("1125899906842624 bytes"), "{}", error.message);
    }
}
