//! A CPU device: memory, the queue, and how a kernel is checked and put in line.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use ift_kernel_abi::{Access, Buffers, Code, DType, Error, Name, Operands, Recordings, Result, Span};

use crate::arena::{Apart, Arena, Block};
use crate::isa::Isa;
use crate::mapped::{MappedBytes, MappedFiles};
use crate::memory::{Input, Ptr};
use crate::queue::{Context, Queue, Step};

/// What holds the bytes of buffers.
enum Storage {
    Block(Block),
    Mapped(MappedBytes),
}

/// Reads the arguments of a kernel. The checks of a kernel's memory are its calls of `input`, `in_place` and `output`.
pub struct Args<'a> {
    buffers: &'a Buffers<Storage>,
    recordings: RefCell<&'a mut Recordings<Written>>,
    operands: RefCell<&'a mut Operands>,
    /// [`Context::invariant_rows`] of the kernel.
    pub invariant_rows: bool,
}

impl Args<'_> {
    fn operand(&self, name: Name, id: u32, shape: &[usize], dtype: DType, access: Access) -> Result<Ptr> {
        let (recordings, operands) = (&mut *self.recordings.borrow_mut(), &mut *self.operands.borrow_mut());
        let place = operands.check(self.buffers, recordings, (name, id), (shape, dtype), access)?;
        Ok(Ptr::new(place.start, place.len()))
    }

    /// What the kernel only reads. No output may overlap it.
    pub fn input(&self, name: Name, id: u32, shape: &[usize], dtype: impl Into<DType>) -> Result<Input> {
        let memory = self.operand(name, id, shape, dtype.into(), Access::Read)?;
        // SAFETY: the buffer holds the bytes, and no output of the kernel lies among them; memory outlives the kernels that were
        // queued before its release, of which the queue runs one at a time.
        Ok(unsafe { Input::new(memory) })
    }

    /// What the kernel reads and an output may take the place of.
    pub fn in_place(&self, name: Name, id: u32, shape: &[usize], dtype: impl Into<DType>) -> Result<Ptr> {
        self.operand(name, id, shape, dtype.into(), Access::InPlace)
    }

    pub fn output(&self, name: Name, id: u32, shape: &[usize], dtype: impl Into<DType>) -> Result<Ptr> {
        self.operand(name, id, shape, dtype.into(), Access::Write)
    }
}

/// Kernels that were written down, and the memory that they have to themselves.
struct Written {
    steps: Arc<[Step]>,
    apart: Apart,
}

#[derive(Default)]
struct State {
    buffers: Buffers<Storage>,
    arena: Arena,
    files: MappedFiles,
    mapped: usize,
    recordings: Recordings<Written>,
    /// Of the kernel that is being checked.
    operands: Operands,
    /// Of the recording under way.
    steps: Vec<Step>,
}

impl State {
    fn freed(&mut self, address: usize, bytes: usize) {
        self.recordings.freed(&(address..address + bytes.max(1)));
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

/// A CPU device. Lives on the thread of its JavaScript; only the queue is shared. Dropping it closes it.
pub struct Device {
    queue: Queue,
    state: RefCell<State>,
    threads: usize,
    isa: Isa,
    /// Of the kernels that come in from here on: [`Context::invariant_rows`].
    invariant_rows: Cell<bool>,
}

fn unreadable(path: &str, error: &std::io::Error) -> Error {
    Error::new(Code::FileUnreadable, format!("{path}: {error}"))
}

impl Device {
    pub fn new(threads: usize, isa: Isa) -> Result<Self> {
        let queue = Queue::new(threads, isa)?;
        Ok(Self { queue, state: RefCell::default(), threads, isa, invariant_rows: Cell::new(false) })
    }

    pub fn threads(&self) -> usize {
        self.threads
    }

    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Whether a row of a result that is queued from here on has the same bits whatever the other rows are. A recording keeps
    /// what held for each of its kernels.
    pub fn set_invariant_rows(&self, on: bool) {
        self.invariant_rows.set(on);
    }

    /// Checks a kernel's arguments by `check` and queues what it returns.
    pub fn kernel<K>(&self, name: &'static str, check: impl FnOnce(&Args<'_>) -> Result<K>) -> Result<()>
    where
        K: Fn(&Context) -> Result<()> + Send + Sync + 'static,
    {
        let state = &mut *self.state.borrow_mut();
        state.operands.clear();
        let args = Args {
            buffers: &state.buffers,
            recordings: RefCell::new(&mut state.recordings),
            operands: RefCell::new(&mut state.operands),
            invariant_rows: self.invariant_rows.get(),
        };
        let kernel = check(&args).map_err(|error| error.of(name))?;
        self.put(state, Step::new(name, kernel).with_invariant_rows(self.invariant_rows.get()));
        Ok(())
    }

    /// Queues a step, or adds it to the recording under way.
    fn put(&self, state: &mut State, step: Step) {
        if state.recordings.is_under_way() {
            state.steps.push(step);
        } else {
            self.queue.step(step);
        }
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
        self.expect_running("reading a file")?;
        let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
        let length = metadata.len();
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
        let state = &mut *self.state.borrow_mut();
        let mapped = state.files.map(path, &file, &metadata, offset..offset + bytes);
        let (mapped, fresh) = mapped.map_err(|error| unreadable(path, &error))?;
        if let Some(file) = fresh {
            self.queue.mapped(file);
        }
        let span = Span { address: mapped.address(), bytes, writable: false };
        let id = state.buffers.insert(Storage::Mapped(mapped), span)?;
        state.mapped += bytes;
        Ok(id)
    }

    /// Ends a handle.
    pub fn free(&self, id: u32) -> Result<()> {
        let state = &mut *self.state.borrow_mut();
        match state.buffers.remove(id)? {
            Some(Storage::Block(block)) => {
                state.arena.free(&block);
                state.freed(block.address, block.bytes);
            }
            Some(Storage::Mapped(mapped)) => {
                state.mapped -= mapped.bytes();
                state.freed(mapped.address(), mapped.bytes());
                self.queue.release(mapped);
            }
            None => {}
        }
        Ok(())
    }

    /// Copies `data` to bytes of a buffer, behind the kernels queued so far.
    pub fn write(&self, id: u32, data: &[u8], offset: usize) -> Result<()> {
        let target = self.range(id, offset, data.len(), true)?;
        let state = &mut *self.state.borrow_mut();
        if self.queue.is_idle() && !state.recordings.is_under_way() {
            // SAFETY: the range was checked, and no kernel is left that could use it; `data` is JavaScript's, and no buffer is.
            unsafe { target.of::<u8>().copy_from_nonoverlapping(data.as_ptr(), data.len()) };
            return Ok(());
        }
        state.recordings.uses(target.of::<u8>() as usize);
        let data = data.to_vec();
        let write = move |context: &Context| {
            // SAFETY: the range was checked before it was queued, and no kernel runs beside this one.
            unsafe { target.all(context) }.copy_from_slice(&data);
            Ok(())
        };
        self.put(state, Step::new("write", write));
        Ok(())
    }

    /// A new handle to part of a buffer.
    pub fn view(&self, base: u32, offset: usize, bytes: usize) -> Result<u32> {
        self.state.borrow_mut().buffers.view(base, offset, bytes)
    }

    pub fn memory(&self) -> Memory {
        let State { buffers, arena, mapped, .. } = &*self.state.borrow();
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
        match self.expect_running("waiting for the device") {
            Ok(()) => self.queue.fence(then),
            Err(error) => then(Err(error)),
        }
    }

    /// An error for what cannot be part of a recording, while one is under way.
    pub fn expect_running(&self, what: &str) -> Result<()> {
        self.state.borrow().recordings.expect_none(what)
    }

    /// From here on kernels and writes are written down instead of done. Memory that is freed meanwhile stays with them.
    pub fn begin_recording(&self) -> Result<()> {
        let state = &mut *self.state.borrow_mut();
        state.recordings.begin()?;
        state.arena.set_apart();
        Ok(())
    }

    /// Ends that; the recording's number.
    pub fn end_recording(&self) -> Result<u32> {
        let state = &mut *self.state.borrow_mut();
        let (steps, apart) = (std::mem::take(&mut state.steps).into(), state.arena.end_apart());
        Ok(state.recordings.end(Written { steps, apart }))
    }

    /// Queues what was recorded.
    pub fn replay(&self, recording: u32) -> Result<()> {
        self.queue.replay(Arc::clone(&self.state.borrow().recordings.work(recording)?.steps));
        Ok(())
    }

    /// Ends a recording; its memory is free behind what is queued.
    pub fn forget_recording(&self, recording: u32) -> Result<()> {
        let state = &mut *self.state.borrow_mut();
        let Written { apart, .. } = state.recordings.forget(recording)?;
        state.arena.take_back(apart);
        Ok(())
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
        Ok(Ptr::new(span.address + offset, bytes))
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
