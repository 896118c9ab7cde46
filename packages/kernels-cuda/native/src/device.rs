//! A device: memory, the queue, and how a kernel is checked and put in line.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::{Arc, OnceLock};

use ift_kernel_abi::{
    Access, Buffers, Code, DType, Error, Name, Operands, Recordings, Result, Span, no_recording,
};

use crate::arena::{Apart, Arena, Block};
use crate::driver::{Driver, Facts, KernelFacts};
use crate::launch::Context;
use crate::profile::KernelTime;
use crate::queue::Queue;

/// What holds the bytes of buffers.
enum Storage {
    Block(Block),
    /// Bytes of a file, copied to the device.
    File(Block),
}

/// Checked memory of the device.
#[derive(Clone, Copy, Debug)]
pub struct Ptr(u64);

/// The address as kernels take it.
pub fn address(pointer: Ptr) -> u64 {
    pointer.0
}

/// Reads the arguments of a kernel. The length checks of a kernel are its calls of `input` and `output`.
pub struct Checked<'a> {
    buffers: &'a Buffers<Storage>,
    arena: RefCell<&'a mut Arena>,
    scratch: RefCell<Vec<Block>>,
    queue: &'a Queue,
    recordings: RefCell<&'a mut Recordings<Graph>>,
    operands: RefCell<&'a mut Operands>,
}

impl Checked<'_> {
    fn operand(&self, name: Name, id: u32, shape: &[usize], dtype: DType, access: Access) -> Result<Ptr> {
        let (recordings, operands) = (&mut *self.recordings.borrow_mut(), &mut *self.operands.borrow_mut());
        let place = operands.check(self.buffers, recordings, (name, id), (shape, dtype), access)?;
        Ok(Ptr(place.start as u64))
    }

    /// Uninitialised bytes for this kernel alone.
    pub fn scratch(&self, bytes: usize) -> Result<Ptr> {
        let block = self.arena.borrow_mut().alloc(bytes, || self.queue.drain())?;
        let address = block.address;
        self.scratch.borrow_mut().push(block);
        Ok(Ptr(address))
    }

    /// What the kernel only reads. No output may overlap it.
    pub fn input(&self, name: Name, id: u32, shape: &[usize], dtype: impl Into<DType>) -> Result<Ptr> {
        self.operand(name, id, shape, dtype.into(), Access::Read)
    }

    /// What the kernel reads and an output may take the place of.
    pub fn in_place(&self, name: Name, id: u32, shape: &[usize], dtype: impl Into<DType>) -> Result<Ptr> {
        self.operand(name, id, shape, dtype.into(), Access::InPlace)
    }

    pub fn output(&self, name: Name, id: u32, shape: &[usize], dtype: impl Into<DType>) -> Result<Ptr> {
        self.operand(name, id, shape, dtype.into(), Access::Write)
    }
}

/// Work that was written down, and the memory that it has to itself.
struct Graph {
    /// The driver's number, once the queue has come to its end.
    number: Arc<OnceLock<u64>>,
    apart: Apart,
}

struct State {
    buffers: Buffers<Storage>,
    arena: Arena,
    mapped: usize,
    recordings: Recordings<Graph>,
    /// Of the kernel that is being checked.
    operands: Operands,
}

impl State {
    fn free(&mut self, block: &Block) {
        self.arena.free(block);
        let address = block.address as usize;
        self.recordings.freed(&(address..address + block.bytes.max(1)));
    }
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

/// A device. Lives on the thread of its JavaScript; only the queue is shared. Dropping it closes it.
pub struct Device {
    queue: Queue,
    driver: Arc<dyn Driver>,
    state: RefCell<Option<State>>,
}

fn unreadable(path: &str, error: &std::io::Error) -> Error {
    Error::new(Code::FileUnreadable, format!("{path}: {error}"))
}

impl Device {
    pub fn new(driver: Arc<dyn Driver>) -> Result<Self> {
        driver.attach()?;
        let queue = Queue::new(Arc::clone(&driver))?;
        let state = State {
            buffers: Buffers::default(),
            arena: Arena::new(Arc::clone(&driver)),
            mapped: 0,
            recordings: Recordings::default(),
            operands: Operands::default(),
        };
        Ok(Self { queue, driver, state: RefCell::new(Some(state)) })
    }

    pub fn facts(&self) -> &Facts {
        self.driver.facts()
    }

    fn with<T>(&self, body: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        self.state.borrow_mut().as_mut().ok_or_else(crate::queue::closed_error).and_then(body)
    }

    /// Checks a kernel's arguments by `check` and queues what it returns.
    pub fn kernel<K>(&self, name: &'static str, check: impl FnOnce(&Checked<'_>) -> Result<K>) -> Result<()>
    where
        K: FnOnce(&Context) -> Result<()> + Send + 'static,
    {
        self.with(|State { buffers, arena, recordings, operands, .. }| {
            operands.clear();
            let (arena, scratch) = (RefCell::new(arena), RefCell::default());
            let (recordings, operands) = (RefCell::new(recordings), RefCell::new(operands));
            let checked = Checked { buffers, arena, scratch, queue: &self.queue, recordings, operands };
            let kernel = check(&checked);
            let Checked { arena, scratch, .. } = checked;
            // In the queue behind this kernel, the next one may have it.
            for block in scratch.into_inner() {
                arena.borrow_mut().free(&block);
            }
            self.queue.kernel(name, kernel?);
            Ok(())
        })
        .map_err(|error| error.of(name))
    }

    /// A new buffer of uninitialised bytes.
    pub fn alloc(&self, bytes: usize) -> Result<u32> {
        self.with(|state| {
            let block = state.arena.alloc(bytes, || self.queue.drain())?;
            let span = Span { address: block.address as usize, bytes, writable: true };
            state.buffers.insert(Storage::Block(block), span)
        })
    }

    /// A read-only buffer of bytes of a file, copied to the device.
    pub fn map_file(&self, path: &str, offset: usize, bytes: usize) -> Result<u32> {
        self.with(|state| state.recordings.expect_none("reading a file"))?;
        let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let length = file.metadata().map_err(|error| unreadable(path, &error))?.len();
        if offset.checked_add(bytes).is_none_or(|end| end as u64 > length) {
            let message = format!("{path}: bytes {offset} + {bytes} leave the file of {length} bytes");
            return Err(Error::new(Code::FileUnreadable, message));
        }
        file.seek(SeekFrom::Start(offset as u64)).map_err(|error| unreadable(path, &error))?;
        let block = self.with(|state| state.arena.alloc(bytes, || self.queue.drain()))?;
        let (to, path) = (block.address, path.to_owned());
        // Read where it is copied, so that the bytes never wait in memory for the device.
        self.queue.kernel("mapFile", move |context| {
            let mut fill =
                |piece: &mut [u8]| file.read_exact(piece).map_err(|error| unreadable(&path, &error));
            context.driver().upload_filled(to, bytes, &mut fill)
        });
        self.with(|state| {
            let span = Span { address: block.address as usize, bytes, writable: false };
            state.arena.count_apart(bytes);
            state.mapped += bytes;
            state.buffers.insert(Storage::File(block), span)
        })
    }

    /// Ends a handle.
    pub fn free(&self, id: u32) -> Result<()> {
        self.with(|state| {
            match state.buffers.remove(id)? {
                Some(Storage::Block(block)) => state.free(&block),
                Some(Storage::File(block)) => {
                    state.mapped -= block.bytes;
                    state.arena.count_again(block.bytes);
                    state.free(&block);
                }
                None => {}
            }
            Ok(())
        })
    }

    /// A new handle to part of a buffer.
    pub fn view(&self, base: u32, offset: usize, bytes: usize) -> Result<u32> {
        self.with(|state| state.buffers.view(base, offset, bytes))
    }

    fn range(&self, id: u32, offset: usize, bytes: usize, writes: bool) -> Result<u64> {
        let span = self.with(|state| state.buffers.get(id))?;
        if offset.checked_add(bytes).is_none_or(|end| end > span.bytes) {
            let message = format!("{bytes} bytes at {offset} leave the buffer of {} bytes", span.bytes);
            return Err(Error::new(Code::BufferBounds, message));
        }
        if writes && !span.writable {
            return Err(Error::new(Code::BufferBounds, "the buffer is a mapped file, which is read-only"));
        }
        Ok((span.address + offset) as u64)
    }

    /// Copies `data` to bytes of a buffer, behind the kernels queued so far.
    pub fn write(&self, id: u32, data: &[u8], offset: usize) -> Result<()> {
        let to = self.range(id, offset, data.len(), true)?;
        self.with(|state| {
            state.recordings.uses(to as usize);
            Ok(())
        })?;
        let data = data.to_vec();
        self.queue.kernel("write", move |context| context.driver().upload(to, &data));
        Ok(())
    }

    /// Calls `then` with bytes of a buffer, after all queued before, or with the first error of that.
    pub fn read(
        &self,
        id: u32,
        offset: usize,
        bytes: usize,
        then: impl FnOnce(Result<Vec<u8>>) + Send + 'static,
    ) -> Result<()> {
        self.with(|state| state.recordings.expect_none("reading a buffer"))?;
        let from = self.range(id, offset, bytes, false)?;
        self.queue.fence(move |done| {
            then(done.and_then(|context| {
                let mut data = vec![0; bytes];
                context.driver().download(from, &mut data)?;
                Ok(data)
            }));
        });
        Ok(())
    }

    /// Calls `then` with what kernels run on, on the queue's thread, when all queued before is done, or with the first error of
    /// that. `what` is what the caller is about.
    pub fn on_queue(&self, what: &str, then: impl FnOnce(Result<&Context>) + Send + 'static) {
        match self.with(|state| state.recordings.expect_none(what)) {
            Ok(()) => self.queue.fence(then),
            Err(error) => then(Err(error)),
        }
    }

    /// Calls `then` when all queued before is done, with the first error of it.
    pub fn fence(&self, then: impl FnOnce(Result<()>) + Send + 'static) {
        self.on_queue("waiting for the device", |done| then(done.map(|_| ())));
    }

    /// From here on kernels and writes are written down instead of done. Memory that is freed meanwhile stays with them.
    pub fn begin_recording(&self) -> Result<()> {
        self.with(|state| {
            state.recordings.begin()?;
            state.arena.set_apart();
            Ok(())
        })?;
        self.queue.kernel("record", |context| context.driver().begin_recording());
        Ok(())
    }

    /// Ends that; the recording's number.
    pub fn end_recording(&self) -> Result<u32> {
        let number = Arc::new(OnceLock::new());
        let theirs = Arc::clone(&number);
        self.queue.kernel("record", move |context| {
            let _ = theirs.set(context.driver().end_recording()?);
            Ok(())
        });
        self.with(|state| {
            let apart = state.arena.end_apart();
            Ok(state.recordings.end(Graph { number, apart }))
        })
    }

    /// Queues what was recorded.
    pub fn replay(&self, recording: u32) -> Result<()> {
        let number = self.with(|state| Ok(Arc::clone(&state.recordings.work(recording)?.number)))?;
        self.queue.kernel("replay", move |context| {
            let number = number.get().ok_or_else(no_recording)?;
            context.driver().replay(*number)
        });
        Ok(())
    }

    /// Ends a recording; its memory is free behind what is queued.
    pub fn forget_recording(&self, recording: u32) -> Result<()> {
        let number = self.with(|state| {
            state.recordings.expect_none("forgetting a recording")?;
            let Graph { number, apart } = state.recordings.forget(recording)?;
            state.arena.take_back(apart);
            Ok(number)
        })?;
        self.queue.kernel("forget", move |context| {
            if let Some(number) = number.get() {
                context.driver().forget_recording(*number);
            }
            Ok(())
        });
        Ok(())
    }

    /// Every kernel that is launched, as the device has it.
    pub fn inventory(&self) -> Result<Vec<KernelFacts>> {
        self.queue.ask(|context| Ok(context.driver().inventory()))
    }

    /// Measures each kernel and product that is queued from here on.
    pub fn start_profile(&self) -> Result<()> {
        self.with(|state| state.recordings.expect_none("a profile"))?;
        self.queue.kernel("startProfile", |context| context.driver().start_profile());
        Ok(())
    }

    /// Waits for the device; the times of what was queued since.
    pub fn stop_profile(&self) -> Result<Vec<KernelTime>> {
        self.with(|state| state.recordings.expect_none("a profile"))?;
        self.queue.ask(|context| context.driver().stop_profile())
    }

    pub fn memory(&self) -> Result<Memory> {
        self.with(|State { buffers, arena, mapped, .. }| {
            Ok(Memory {
                allocated: arena.allocated(),
                peak: arena.peak(),
                reserved: arena.reserved(),
                mapped: *mapped,
                buffers: buffers.alive(),
            })
        })
    }

    pub fn reset_peak(&self) -> Result<()> {
        self.with(|state| {
            state.arena.reset_peak();
            Ok(())
        })
    }
}

/// The memory of a closed device, given back when its queue has come to an end of using it.
struct Remains(State, Arc<dyn Driver>);

// SAFETY: the handles' counts are not shared with another thread: the device that had them is gone.
unsafe impl Send for Remains {}

impl Drop for Remains {
    fn drop(&mut self) {
        let State { buffers, arena, recordings, .. } = &mut self.0;
        for Graph { number, apart } in recordings.take_all() {
            if let Some(number) = number.get() {
                self.1.forget_recording(*number);
            }
            arena.take_back(apart);
        }
        for storage in std::mem::take(buffers).into_storages() {
            let (Storage::Block(block) | Storage::File(block)) = storage;
            arena.forget(&block);
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if let Some(state) = self.state.borrow_mut().take() {
            self.queue.release(Remains(state, Arc::clone(&self.driver)));
        }
        self.queue.close();
    }
}
