//! The device as JavaScript sees it: memory, the queue, and how a kernel is checked and put in line.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use ift_kernel_abi::{Buffers, Code, DType, Error, Result, Span, product, size};
use memmap2::{Mmap, MmapOptions};
use napi::bindgen_prelude::{Either, Env, Object, Uint8Array};
use napi_derive::napi;

use crate::arena::{Arena, Block};
use crate::isa::Isa;
use crate::queue::{Context, Queue, closed};

/// An error on its way to an `IftError`.
#[napi(object)]
pub struct Failure {
    pub code: String,
    pub message: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { code: error.code.name().to_owned(), message: error.message }
    }
}

/// The shape of `MemoryInfo` in `@ift/tensor`.
#[napi(object)]
pub struct Memory {
    pub allocated: f64,
    pub peak: f64,
    pub reserved: f64,
    pub mapped: f64,
    pub buffers: f64,
}

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

struct State {
    buffers: Buffers<Storage>,
    arena: Arena,
    mapped: usize,
}

/// A CPU device. Lives on the thread of its JavaScript; only the queue is shared.
#[napi]
pub struct Device {
    queue: Queue,
    /// None once closed.
    state: RefCell<Option<State>>,
    threads: u32,
    isa: Isa,
}

/// Sets that work here, weakest first.
fn instruction_sets() -> Vec<Isa> {
    let mut known = Isa::supported();
    let best = crate::gemm::choose().0;
    if known.last() != Some(&best) {
        known.push(best);
    }
    known
}

/// Names of the instruction sets that `Device.open` accepts here, weakest first.
#[napi(js_name = "instructionSets")]
pub fn instruction_set_names() -> Vec<&'static str> {
    instruction_sets().into_iter().map(Isa::name).collect()
}

fn outcome(result: Result<()>) -> Option<Failure> {
    result.err().map(Failure::from)
}

fn unreadable(path: &str, error: &std::io::Error) -> Error {
    Error::new(Code::FileUnreadable, format!("{path}: {error}"))
}

impl Device {
    pub fn new(threads: usize, isa: Isa) -> Result<Self> {
        let queue = Queue::new(threads, isa)?;
        let state = State { buffers: Buffers::default(), arena: Arena::default(), mapped: 0 };
        Ok(Self { queue, state: RefCell::new(Some(state)), threads: threads as u32, isa })
    }

    fn with<T>(&self, body: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        self.state.borrow_mut().as_mut().ok_or_else(closed).and_then(body)
    }

    /// Checks a kernel's arguments by `check` and queues what it returns.
    pub fn kernel<K>(&self, name: &'static str, check: impl FnOnce(&Args<'_>) -> Result<K>) -> Option<Failure>
    where
        K: FnOnce(&Context) -> Result<()> + Send + 'static,
    {
        let kernel = self.with(|state| check(&Args { buffers: &state.buffers }));
        outcome(kernel.map(|kernel| self.queue.kernel(name, kernel)).map_err(|error| error.of(name)))
    }

    fn allocate(&self, bytes: usize) -> Result<u32> {
        let first = self.with(|state| state.arena.alloc(bytes));
        let block = match first {
            Err(error) if error.code == Code::OutOfMemory => {
                // Empty segments are given back and the system is asked once more. The only wait of an allocation, on
                // the way to an error otherwise.
                let idle = self.with(|state| Ok(state.arena.take_idle()))?;
                if idle.is_empty() {
                    return Err(error);
                }
                self.queue.release(idle);
                let (send, receive) = std::sync::mpsc::sync_channel(1);
                self.queue.release(Notice(send));
                // The sender is dropped unsent only when the queue's thread is gone.
                let _ = receive.recv();
                self.with(|state| state.arena.alloc(bytes))?
            }
            other => other?,
        };
        self.with(|state| {
            let span = Span { address: block.address, bytes, writable: true };
            state.buffers.insert(Storage::Block(block), span)
        })
    }

    fn map(&self, path: &str, offset: usize, bytes: usize) -> Result<u32> {
        let mut file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let length = file.metadata().map_err(|error| unreadable(path, &error))?.len();
        if offset.checked_add(bytes).is_none_or(|end| end as u64 > length) {
            let message = format!("{path}: bytes {offset} + {bytes} leave the file of {length} bytes");
            return Err(Error::new(Code::FileUnreadable, message));
        }
        // Elements that are not aligned in the file cannot be used in place.
        if !offset.is_multiple_of(4) || bytes == 0 {
            let id = self.allocate(bytes)?;
            let read = file.seek(SeekFrom::Start(offset as u64)).and_then(|_| {
                let mut data = vec![0; bytes];
                file.read_exact(&mut data).map(|()| data)
            });
            let written =
                read.map_err(|error| unreadable(path, &error)).and_then(|data| self.put(id, &data, 0));
            return match written {
                Ok(()) => Ok(id),
                Err(error) => self.remove(id).and(Err(error)),
            };
        }
        // SAFETY: the bytes are only ever read as numbers, so a file that changes under the map changes results and
        // nothing else; a file that is cut shorter ends the process, as with every program that maps weights.
        let map = unsafe { MmapOptions::new().offset(offset as u64).len(bytes).map(&file) };
        let map = map.map_err(|error| unreadable(path, &error))?;
        self.with(|state| {
            let span = Span { address: map.as_ptr() as usize, bytes, writable: false };
            let id = state.buffers.insert(Storage::Map { map, bytes }, span)?;
            state.mapped += bytes;
            Ok(id)
        })
    }

    fn remove(&self, id: u32) -> Result<()> {
        self.with(|state| {
            match state.buffers.remove(id)? {
                Some(Storage::Block(block)) => state.arena.free(&block),
                Some(Storage::Map { map, bytes }) => {
                    state.mapped -= bytes;
                    self.queue.release(map);
                }
                None => {}
            }
            Ok(())
        })
    }

    fn put(&self, id: u32, data: &[u8], offset: usize) -> Result<()> {
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

    fn range(&self, id: u32, offset: usize, bytes: usize, writes: bool) -> Result<Ptr> {
        self.with(|state| {
            let span = state.buffers.get(id)?;
            if offset.checked_add(bytes).is_none_or(|end| end > span.bytes) {
                let message = format!("{bytes} bytes at {offset} leave the buffer of {} bytes", span.bytes);
                return Err(Error::new(Code::BufferBounds, message));
            }
            if writes && !span.writable {
                return Err(Error::new(
                    Code::BufferBounds,
                    "the buffer is a mapped file, which is read-only",
                ));
            }
            Ok(Ptr((span.address + offset) as *mut u8))
        })
    }

    /// Calls `then` with the bytes when all queued before is done.
    pub fn read_with(
        &self,
        id: u32,
        offset: usize,
        bytes: usize,
        then: impl FnOnce(Result<Vec<u8>>) + Send + 'static,
    ) {
        match self.range(id, offset, bytes, false) {
            Err(error) => then(Err(error.of("read"))),
            Ok(source) => self.queue.fence(move |result| {
                // SAFETY: checked above; the queue is in order and this is its thread.
                then(result.map(|()| unsafe { source.slice::<u8>(bytes) }.to_vec()));
            }),
        }
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

/// What a promise resolves to: a failure is a value here and becomes the rejection in TypeScript, which owns the class.
type Answer = Either<Uint8Array, Failure>;

#[napi]
impl Device {
    /// `threads` 0 takes one for each core. `isa` limits the instruction set, '' takes the strongest.
    #[napi(factory)]
    pub fn open(threads: u32, isa: String) -> napi::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores } else { threads as usize };
        let known = instruction_sets();
        let isa = match isa.as_str() {
            "" => known.last().copied().unwrap_or(Isa::Portable),
            name => known.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| {
                let names: Vec<_> = known.iter().map(|isa| isa.name()).collect();
                let names = names.join(", ");
                napi::Error::from_reason(format!(
                    "no instruction set '{name}' here; this processor has {names}"
                ))
            })?,
        };
        Self::new(threads, isa).map_err(|error| napi::Error::from_reason(error.message))
    }

    #[napi(getter)]
    pub fn threads(&self) -> u32 {
        self.threads
    }

    #[napi(getter)]
    pub fn isa(&self) -> &'static str {
        self.isa.name()
    }

    /// What the user of this processor should know and see nothing of otherwise.
    #[napi(getter)]
    pub fn note(&self) -> Option<&'static str> {
        crate::gemm::choose().1
    }

    #[napi]
    pub fn alloc(&self, bytes: f64) -> Either<u32, Failure> {
        answer(size("bytes", bytes).and_then(|bytes| self.allocate(bytes)), "alloc")
    }

    #[napi]
    pub fn view(&self, base: u32, offset: f64, bytes: f64) -> Either<u32, Failure> {
        let view = || {
            let (offset, bytes) = (size("byteOffset", offset)?, size("bytes", bytes)?);
            self.with(|state| state.buffers.view(base, offset, bytes))
        };
        answer(view(), "view")
    }

    #[napi]
    pub fn map_file(&self, path: String, offset: f64, bytes: f64) -> Either<u32, Failure> {
        let map = || self.map(&path, size("offset", offset)?, size("bytes", bytes)?);
        answer(map(), "mapFile")
    }

    #[napi]
    pub fn free(&self, id: u32) -> Option<Failure> {
        outcome(self.remove(id).map_err(|error| error.of("free")))
    }

    #[napi]
    pub fn write(&self, id: u32, data: &[u8], offset: f64) -> Option<Failure> {
        let write = || self.put(id, data, size("byteOffset", offset)?);
        outcome(write().map_err(|error| error.of("write")))
    }

    #[napi(ts_return_type = "Promise<Uint8Array | Failure>")]
    pub fn read<'env>(&self, env: &'env Env, id: u32, offset: f64, bytes: f64) -> napi::Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred()?;
        let then = move |result: Result<Vec<u8>>| {
            deferred.resolve(move |_| {
                Ok(match result {
                    Ok(data) => Answer::A(Uint8Array::from(data)),
                    Err(error) => Answer::B(error.into()),
                })
            });
        };
        match size("byteOffset", offset).and_then(|offset| Ok((offset, size("bytes", bytes)?))) {
            Ok((offset, bytes)) => self.read_with(id, offset, bytes, then),
            Err(error) => then(Err(error.of("read"))),
        }
        Ok(promise)
    }

    #[napi(ts_return_type = "Promise<Failure | null>")]
    pub fn synchronize<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred()?;
        let then = move |result: Result<()>| deferred.resolve(move |_| Ok(outcome(result)));
        match self.with(|_| Ok(())) {
            Ok(()) => self.queue.fence(then),
            Err(error) => then(Err(error)),
        }
        Ok(promise)
    }

    #[napi]
    pub fn memory(&self) -> Either<Memory, Failure> {
        let memory = self.with(|state| {
            Ok(Memory {
                allocated: state.arena.allocated() as f64,
                peak: state.arena.peak() as f64,
                reserved: state.arena.reserved() as f64,
                mapped: state.mapped as f64,
                buffers: state.buffers.alive() as f64,
            })
        });
        answer(memory, "memory")
    }

    #[napi]
    pub fn reset_peak(&self) -> Option<Failure> {
        outcome(self.with(|state| {
            state.arena.reset_peak();
            Ok(())
        }))
    }

    #[napi]
    pub fn close(&self) {
        if let Some(State { buffers, arena, .. }) = self.state.borrow_mut().take() {
            // Handles are of no use any more, what they stand for is freed behind the kernel that runs now.
            self.queue.release((buffers.into_storages(), arena));
            self.queue.close();
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.close();
    }
}

fn answer<T>(result: Result<T>, name: &str) -> Either<T, Failure> {
    match result {
        Ok(value) => Either::A(value),
        Err(error) => Either::B(error.of(name).into()),
    }
}
