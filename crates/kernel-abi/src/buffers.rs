//! The table behind buffer handles: what JavaScript holds is a number that is checked at every use.

use std::collections::VecDeque;

use slab::Slab;

use crate::{Code, Error, Result};

/// Bits of a handle that hold its slot; above them stand the bits of the generation. Together 31, so that V8 keeps a
/// handle as a small integer.
const SLOT_BITS: u32 = 20;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;
const GENERATIONS: u32 = 1 << 11;

/// Freed slots rest until this many wait, so that a handle kept too long meets a foreign buffer as late as possible.
const RESTING: usize = 1024;

/// Where the bytes of a buffer are. `address` is the device's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub address: usize,
    pub bytes: usize,
    pub writable: bool,
}

/// A storage and the number of handles that share it.
struct Shared<S> {
    storage: S,
    handles: u32,
}

#[derive(Clone, Copy)]
struct Entry {
    /// Key of the storage.
    storage: u32,
    span: Span,
}

struct Slot {
    generation: u32,
    entry: Option<Entry>,
}

/// Buffers alive and the storages of type `S` under them; a storage may have several views.
pub struct Buffers<S> {
    slots: Vec<Slot>,
    free: VecDeque<u32>,
    alive: usize,
    storages: Slab<Shared<S>>,
}

impl<S> Default for Buffers<S> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: VecDeque::new(), alive: 0, storages: Slab::new() }
    }
}

impl<S> Buffers<S> {
    /// Buffers alive, views included.
    pub fn alive(&self) -> usize {
        self.alive
    }

    pub fn insert(&mut self, storage: S, span: Span) -> Result<u32> {
        let index = self.slot()?;
        let storage = self.storages.insert(Shared { storage, handles: 0 }) as u32;
        Ok(self.hand_out(index, Entry { storage, span }))
    }

    /// A slot without a buffer.
    fn slot(&mut self) -> Result<u32> {
        let full = self.slots.len() > SLOT_MASK as usize;
        if (full || self.free.len() > RESTING)
            && let Some(index) = self.free.pop_front()
        {
            return Ok(index);
        }
        if full {
            let message = format!("{} buffers are alive, more than a device can hold", self.alive);
            return Err(Error::new(Code::OutOfMemory, message));
        }
        self.slots.push(Slot { generation: 1, entry: None });
        Ok(self.slots.len() as u32 - 1)
    }

    fn hand_out(&mut self, index: u32, entry: Entry) -> u32 {
        self.storages[entry.storage as usize].handles += 1;
        self.alive += 1;
        let slot = &mut self.slots[index as usize];
        slot.entry = Some(entry);
        slot.generation << SLOT_BITS | index
    }

    fn entry(&self, id: u32) -> Result<Entry> {
        self.slots
            .get((id & SLOT_MASK) as usize)
            .filter(|slot| slot.generation == id >> SLOT_BITS)
            .and_then(|slot| slot.entry)
            .ok_or_else(|| {
                Error::new(Code::BufferInvalid, format!("buffer {id} does not exist or was freed"))
            })
    }

    pub fn get(&self, id: u32) -> Result<Span> {
        Ok(self.entry(id)?.span)
    }

    /// A new handle to `bytes` of the buffer from `offset`.
    pub fn view(&mut self, id: u32, offset: usize, bytes: usize) -> Result<u32> {
        let Entry { storage, span } = self.entry(id)?;
        if offset.checked_add(bytes).is_none_or(|end| end > span.bytes) {
            let message =
                format!("a view of {bytes} bytes at {offset} leaves the {} bytes of its base", span.bytes);
            return Err(Error::new(Code::BufferBounds, message));
        }
        let span = Span { address: span.address + offset, bytes, writable: span.writable };
        let index = self.slot()?;
        Ok(self.hand_out(index, Entry { storage, span }))
    }

    /// Ends a handle. Returns the storage when no other handle shares it.
    pub fn remove(&mut self, id: u32) -> Result<Option<S>> {
        let storage = self.entry(id)?.storage as usize;
        let index = id & SLOT_MASK;
        let slot = &mut self.slots[index as usize];
        slot.generation = slot.generation % (GENERATIONS - 1) + 1;
        slot.entry = None;
        self.free.push_back(index);
        self.alive -= 1;
        let shared = &mut self.storages[storage];
        shared.handles -= 1;
        let last = shared.handles == 0;
        Ok(last.then(|| self.storages.remove(storage).storage))
    }

    /// Ends every handle; the storages, each once.
    pub fn into_storages(self) -> Vec<S> {
        self.storages.into_iter().map(|(_, shared)| shared.storage).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span { address: 4096, bytes: 64, writable: true };

    #[test]
    fn a_freed_handle_is_refused_even_when_its_slot_is_used_again() {
        let mut buffers = Buffers::default();
        let first = buffers.insert('a', SPAN).unwrap();
        assert_eq!(buffers.remove(first).unwrap(), Some('a'));
        for _ in 0..3 * RESTING {
            let id = buffers.insert('b', SPAN).unwrap();
            assert_ne!(id, first);
            assert_eq!(buffers.get(first).unwrap_err().code, Code::BufferInvalid);
            buffers.remove(id).unwrap();
        }
        assert_eq!(buffers.remove(first).unwrap_err().code, Code::BufferInvalid);
        assert_eq!(buffers.get(0).unwrap_err().code, Code::BufferInvalid);
        assert!(buffers.slots.len() <= RESTING + 2);
        assert_eq!(buffers.alive(), 0);
    }

    #[test]
    fn a_view_keeps_the_storage_until_the_last_handle_ends() {
        let mut buffers = Buffers::default();
        let base = buffers.insert('a', SPAN).unwrap();
        let view = buffers.view(base, 16, 32).unwrap();
        let inner = buffers.view(view, 32, 0).unwrap();
        assert_eq!(buffers.get(view).unwrap(), Span { address: 4112, bytes: 32, writable: true });
        assert_eq!(buffers.view(view, 16, 17).unwrap_err().code, Code::BufferBounds);
        assert_eq!(buffers.view(view, usize::MAX, 2).unwrap_err().code, Code::BufferBounds);
        assert_eq!(buffers.alive(), 3);
        assert_eq!(buffers.remove(base).unwrap(), None);
        assert_eq!(buffers.remove(inner).unwrap(), None);
        assert_eq!(buffers.remove(view).unwrap(), Some('a'));
    }

    #[test]
    fn handles_are_small_integers() {
        let mut buffers = Buffers::default();
        for _ in 0..3 * GENERATIONS {
            let id = buffers.insert((), SPAN).unwrap();
            assert!(id > 0 && id < 1 << 31);
            buffers.remove(id).unwrap();
        }
    }
}
