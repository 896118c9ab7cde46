//! A CPU device: memory, the queue, and how a kernel is checked and put in line.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use ift_kernel_abi::{Buffers, Code, DType, Error, Result, Span, product};
use memmap2::{Mmap, MmapOptions};

use crate::arena::{Arena, Block};
use crate::isa::Isa;
use crate::queue::{Context, Queue};

/// What holds the bytes of buffers.
enum Storage {
    Block(Block),
    Map { map: Mmap, bytes: usize },
}

/// Checked memory of a kernel, valid on the queue's thread until the kernel ends.
#[derive(Clone, Copy, Debug)]
pub struct Ptr(*mut u8);

// SAFETY: the queue runs one kernel at a time, and memory outlives the kernels queued before its release.
unsafe impl Send for Ptr {}
unsafe impl Sync for Ptr {}

impl Ptr {
    /// Memory of a kernel's own.
    pub fn to<T>(at: *mut T) -> Self {
        Self(at.cast())
    }

    pub fn of<T>(self) -> *mut T {
        self.0.cast()
    }

    /// # Safety
    /// The buffer was checked for `len` elements of `T`, and nothing writes to it meanwhile.
    pub unsafe fn slice<'a, T: crate::element::Plain>(self, len: usize) -> &'a [T] {
        unsafe { std::slice::from_raw_parts(self.0.cast(), len) }
    }

    /// # Safety
    /// As for [`Ptr::slice`], and nothing else reads the elements meanwhile.
    pub unsafe fn slice_mut<'a, T: crate::element::Plain>(self, len: usize) -> &'a mut [T] {
        unsafe { std::slice::from_raw_parts_mut(self.0.cast(), len) }
    }
}

/// Reads the arguments of a kernel. The length checks of a kernel are its calls of `input` and `output`.
pub struct Args<'a> {
    buffers: &'a Buffers<Storage>,
}

impl Args<'_> {
    fn pointer(&self, name: &str, id: u32, shape: &[usize], dtype: DType) -> Result<(Ptr, Span)> {
        let span = self.buffers.get(id).map_err(|error| error.of(name))?;
        let needed = product(shape)?.checked_mul(dtype.size());
        if needed.is_none_or(|needed| needed > span.bytes) {
            let (dtype, bytes) = (dtype.name(), span.bytes);
            let message = format!("{name} {shape:?} in {dtype} does not fit in its buffer of {bytes} bytes");
            return Err(Error::new(Code::BufferBounds, message));
        }
        if span.address % dtype.size() != 0 {
            let message = format!("{name} starts at an odd byte for {}", dtype.name());
            return Err(Error::new(Code::BufferBounds, message));
        }
        Ok((Ptr(span.address as *mut u8), span))
    }

    pub fn input(&self, name: &str, id: u32, shape: &[usize], dtype: impl Into<DType>) -> Result<Ptr> {
        Ok(self.pointer(name, id, shape, dtype.into())?.0)
    }

    pub fn output(&self, name: &str, id: u32, shape: &[usize], dtype: impl Into<DType>) -> Result<Ptr> {
        let (pointer, span) = self.pointer(name, id, shape, dtype.into())?;
        if !span.writable {
            return Err(Error::new(
                Code::BufferBounds,
                format!("{name} is a mapped file, which is read-only"),
            ));
        }
        Ok(pointer)
    }
}

#[derive(Default)]
struct State {
    buffers: Buffers<Storage>,
    arena: Arena,
    mapped: usize,
}

/// Bytes and buffers of a device, as `MemoryInfo` in `@ift/tensor` explains them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub allocated: usize,
    pub peak: usize,
    pub reserved: usize,
    pub mapped: usize,
    pub buffers: usize,
}

/// A CPU device. Lives on the thread of its JavaScript; only the queue is shared. Dropping it closes it.
pub struct Device {
    queue: Queue,
    state: RefCell<State>,
    threads: usize,
    isa: Isa,
}

fn unreadable(path: &str, error: &std::io::Error) -> Error {
    Error::new(Code::FileUnreadable, format!("{path}: {error}"))
}

impl Device {
    pub fn new(threads: usize, isa: Isa) -> Result<Self> {
        let queue = Queue::new(threads, isa)?;
        Ok(Self { queue, state: RefCell::default(), threads, isa })
    }

    pub fn threads(&self) -> usize {
        self.threads
    }

    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Checks a kernel's arguments by `check` and queues what it returns.
    pub fn kernel<K>(&self, name: &'static str, check: impl FnOnce(&Args<'_>) -> Result<K>) -> Result<()>
    where
        K: FnOnce(&Context) -> Result<()> + Send + 'static,
    {
        let kernel =
            check(&Args { buffers: &self.state.borrow().buffers }).map_err(|error| error.of(name))?;
        self.queue.kernel(name, kernel);
        Ok(())
    }

    /// A new buffer of uninitialised bytes.
    pub fn alloc(&self, bytes: usize) -> Result<u32> {
        let first = self.state.borrow_mut().arena.alloc(bytes);
        let block = match first {
            Err(error) if error.code == Code::OutOfMemory => {
                // Empty segments are given back and the system is asked once more. The only wait of an allocation, on
                // the way to an error otherwise.
                let idle = self.state.borrow_mut().arena.take_idle();
                if idle.is_empty() {
                    return Err(error);
                }
                self.queue.release(idle);
                let (send, receive) = std::sync::mpsc::sync_channel(1);
                self.queue.release(Notice(send));
                // The sender is dropped unsent only when the queue's thread is gone.
                let _ = receive.recv();
                self.state.borrow_mut().arena.alloc(bytes)?
            }
            other => other?,
        };
        let state = &mut *self.state.borrow_mut();
        let span = Span { address: block.address, bytes, writable: true };
        state.buffers.insert(Storage::Block(block), span)
    }

    /// A read-only buffer over bytes of a file.
    pub fn map_file(&self, path: &str, offset: usize, bytes: usize) -> Result<u32> {
        let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let length = file.metadata().map_err(|error| unreadable(path, &error))?.len();
        if offset.checked_add(bytes).is_none_or(|end| end as u64 > length) {
            let message = format!("{path}: bytes {offset} + {bytes} leave the file of {length} bytes");
            return Err(Error::new(Code::FileUnreadable, message));
        }
        // Elements that are not aligned in the file cannot be used in place.
        if !offset.is_multiple_of(4) || bytes == 0 {
            let id = self.alloc(bytes)?;
            let read = file.seek(SeekFrom::Start(offset as u64)).and_then(|_| {
                let mut data = vec![0; bytes];
                file.read_exact(&mut data).map(|()| data)
            });
            let written =
                read.map_err(|error| unreadable(path, &error)).and_then(|data| self.write(id, &data, 0));
            return match written {
                Ok(()) => Ok(id),
                Err(error) => self.free(id).and(Err(error)),
            };
        }
        // SAFETY: the bytes are only ever read as numbers, so a file that changes under the map changes results and
        // nothing else; a file that is cut shorter ends the process, as with every program that maps weights.
        let map = unsafe { MmapOptions::new().offset(offset as u64).len(bytes).map(&file) };
        let map = map.map_err(|error| unreadable(path, &error))?;
        let state = &mut *self.state.borrow_mut();
        let span = Span { address: map.as_ptr() as usize, bytes, writable: false };
        let id = state.buffers.insert(Storage::Map { map, bytes }, span)?;
        state.mapped += bytes;
        Ok(id)
    }

    /// Ends a handle.
    pub fn free(&self, id: u32) -> Result<()> {
        let state = &mut *self.state.borrow_mut();
        match state.buffers.remove(id)? {
            Some(Storage::Block(block)) => state.arena.free(&block),
            Some(Storage::Map { map, bytes }) => {
                state.mapped -= bytes;
                self.queue.release(map);
            }
            None => {}
        }
        Ok(())
    }

    /// Copies `data` to bytes of a buffer, behind the kernels queued so far.
    pub fn write(&self, id: u32, data: &[u8], offset: usize) -> Result<()> {
        let target = self.range(id, offset, data.len(), true)?;
        if self.queue.is_idle() {
            // SAFETY: checked above, and no kernel is left that could use the buffer.
            unsafe { target.of::<u8>().copy_from_nonoverlapping(data.as_ptr(), data.len()) };
            return Ok(());
        }
        let data = data.to_vec();
        self.queue.kernel("write", move |_| {
            // SAFETY: checked before it was queued.
            unsafe { target.of::<u8>().copy_from_nonoverlapping(data.as_ptr(), data.len()) };
            Ok(())
        });
        Ok(())
    }

    /// A new handle to part of a buffer.
    pub fn view(&self, base: u32, offset: usize, bytes: usize) -> Result<u32> {
        self.state.borrow_mut().buffers.view(base, offset, bytes)
    }

    pub fn memory(&self) -> Memory {
        let State { buffers, arena, mapped } = &*self.state.borrow();
        Memory {
            allocated: arena.allocated(),
            peak: arena.peak(),
            reserved: arena.reserved(),
            mapped: *mapped,
            buffers: buffers.alive(),
        }
    }

    pub fn profile(&self) -> &crate::profile::Profile {
        self.queue.profile()
    }

    pub fn reset_peak(&self) {
        self.state.borrow_mut().arena.reset_peak();
    }

    /// Calls `then` when all queued before is done, with the first error of it.
    pub fn fence(&self, then: impl FnOnce(Result<()>) + Send + 'static) {
        self.queue.fence(then);
    }

    fn range(&self, id: u32, offset: usize, bytes: usize, writes: bool) -> Result<Ptr> {
        let state = &mut *self.state.borrow_mut();
        let span = state.buffers.get(id)?;
        if offset.checked_add(bytes).is_none_or(|end| end > span.bytes) {
            let message = format!("{bytes} bytes at {offset} leave the buffer of {} bytes", span.bytes);
            return Err(Error::new(Code::BufferBounds, message));
        }
        if writes && !span.writable {
            return Err(Error::new(Code::BufferBounds, "the buffer is a mapped file, which is read-only"));
        }
        Ok(Ptr((span.address + offset) as *mut u8))
    }

    /// Bytes to be read by a fence queued next.
    pub fn readable(&self, id: u32, offset: usize, bytes: usize) -> Result<Ptr> {
        self.range(id, offset, bytes, false)
    }
}

/// Tells its receiver when it is dropped.
struct Notice(std::sync::mpsc::SyncSender<()>);

impl Drop for Notice {
    fn drop(&mut self) {
        // Nobody listens any more when the device has gone.
        let _ = self.0.try_send(());
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let State { buffers, arena, .. } = std::mem::take(self.state.get_mut());
        // What the handles stand for is freed behind the kernel that runs now.
        self.queue.release((buffers.into_storages(), arena));
        self.queue.close();
    }
}
