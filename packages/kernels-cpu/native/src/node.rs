//! The door to JavaScript: free functions over numbered devices, which cost a fraction of methods of a class.

use std::cell::RefCell;
use std::rc::Rc;

use ift_kernel_abi::{Code, Error, Result, size};
use napi::bindgen_prelude::{Either, Env, Object, Uint8Array};
use napi_derive::napi;

use crate::device::{Args, Device};
use crate::gemm::{choose, supported};
use crate::isa::Isa;
use crate::mapped::copied;
use crate::queue::{Context, closed};

/// An error on its way to an `IftError`.
#[napi(object, object_from_js = false)]
pub struct Failure {
    pub code: String,
    pub message: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { code: error.code.name().to_owned(), message: error.message }
    }
}

thread_local! {
    /// Devices by their number. A thread of JavaScript has its own.
    static DEVICES: RefCell<Vec<Option<Rc<Device>>>> = const { RefCell::new(Vec::new()) };
}

fn with<T>(device: u32, body: impl FnOnce(&Device) -> Result<T>) -> Result<T> {
    DEVICES.with_borrow(|devices| {
        devices.get(device as usize).and_then(Option::as_deref).ok_or_else(closed).and_then(body)
    })
}

/// The open device of a number.
pub fn device_of(device: u32) -> Option<Rc<Device>> {
    DEVICES.with_borrow(|devices| devices.get(device as usize).cloned().flatten())
}

fn outcome(result: Result<()>) -> Option<Failure> {
    result.err().map(Failure::from)
}

fn answer<T>(result: Result<T>, name: &str) -> Either<T, Failure> {
    match result {
        Ok(value) => Either::A(value),
        Err(error) => Either::B(error.of(name).into()),
    }
}

/// Checks a kernel's arguments by `check` and queues what it returns.
pub fn kernel<K>(
    device: u32,
    name: &'static str,
    check: impl FnOnce(&Args<'_>) -> Result<K>,
) -> Option<Failure>
where
    K: Fn(&Context) -> Result<()> + Send + Sync + 'static,
{
    outcome(with(device, |device| device.kernel(name, check)))
}

/// Names of the instruction sets that `open` accepts here, weakest first.
#[napi]
pub fn instruction_sets() -> Vec<&'static str> {
    supported().into_iter().map(Isa::name).collect()
}

/// A device just opened.
#[napi(object, object_from_js = false)]
pub struct Opened {
    pub device: u32,
    pub threads: u32,
    pub isa: &'static str,
    /// What the user of this processor should know and would not see otherwise.
    pub note: Option<&'static str>,
}

fn open_device(threads: u32, isa: &str) -> Result<Opened> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if threads == 0 { cores } else { threads as usize };
    let known = supported();
    let chosen = if isa.is_empty() { known.last() } else { known.iter().find(|known| known.name() == isa) };
    let isa = *chosen.ok_or_else(|| {
        let names: Vec<_> = known.iter().map(|isa| isa.name()).collect();
        let message = format!("no instruction set '{isa}' here; this processor has {}", names.join(", "));
        Error::new(Code::BackendUnavailable, message)
    })?;
    let device = Device::new(threads, isa)?;
    DEVICES.with_borrow_mut(|devices| {
        devices.push(Some(Rc::new(device)));
        let device = devices.len() as u32 - 1;
        Ok(Opened { device, threads: threads as u32, isa: isa.name(), note: choose().1 })
    })
}

/// `threads` 0 takes one for each core. `isa` names the instruction set, '' takes the strongest.
#[napi]
pub fn open(threads: u32, isa: String) -> Either<Opened, Failure> {
    answer(open_device(threads, &isa), "open")
}

#[napi]
pub fn close(device: u32) {
    // Dropped outside of the borrow.
    let closed = DEVICES.with_borrow_mut(|devices| devices.get_mut(device as usize).and_then(Option::take));
    drop(closed);
}

#[napi]
pub fn alloc(device: u32, bytes: f64) -> Either<u32, Failure> {
    answer(with(device, |device| device.alloc(size("bytes", bytes)?)), "alloc")
}

#[napi]
pub fn view(device: u32, base: u32, offset: f64, bytes: f64) -> Either<u32, Failure> {
    let view = |device: &Device| device.view(base, size("byteOffset", offset)?, size("bytes", bytes)?);
    answer(with(device, view), "view")
}

#[napi]
pub fn map_file(device: u32, path: String, offset: f64, bytes: f64) -> Either<u32, Failure> {
    let map = |device: &Device| device.map_file(&path, size("offset", offset)?, size("bytes", bytes)?);
    answer(with(device, map), "mapFile")
}

#[napi]
pub fn free(device: u32, id: u32) -> Option<Failure> {
    outcome(with(device, |device| device.free(id)).map_err(|error| error.of("free")))
}

/// Whether a row of a result has the same bits whatever the other rows are, in kernels from here on.
#[napi]
pub fn set_invariant_rows(device: u32, on: bool) -> Option<Failure> {
    let set = |device: &Device| {
        device.set_invariant_rows(on);
        Ok(())
    };
    outcome(with(device, set).map_err(|error| error.of("invariantRows")))
}

/// Kernels and writes from here on are written down instead of done.
#[napi]
pub fn begin_recording(device: u32) -> Option<Failure> {
    outcome(with(device, |device| device.begin_recording().map_err(|error| error.of("record"))))
}

#[napi]
pub fn end_recording(device: u32) -> Either<u32, Failure> {
    answer(with(device, Device::end_recording), "record")
}

#[napi]
pub fn replay(device: u32, recording: u32) -> Option<Failure> {
    outcome(with(device, |device| device.replay(recording).map_err(|error| error.of("replay"))))
}

#[napi]
pub fn forget_recording(device: u32, recording: u32) -> Option<Failure> {
    let forget = |device: &Device| device.forget_recording(recording);
    outcome(with(device, |device| forget(device).map_err(|error| error.of("forget"))))
}

#[napi]
pub fn write(device: u32, id: u32, data: &[u8], offset: f64) -> Option<Failure> {
    let write = |device: &Device| device.write(id, data, size("byteOffset", offset)?);
    outcome(with(device, write).map_err(|error| error.of("write")))
}

/// What a promise resolves to: a failure is a value here and becomes the rejection in TypeScript, which owns the class.
type Answer = Either<Uint8Array, Failure>;

#[napi(ts_return_type = "Promise<Uint8Array | Failure>")]
pub fn read<'env>(
    env: &'env Env,
    device: u32,
    id: u32,
    offset: f64,
    bytes: f64,
) -> napi::Result<Object<'env>> {
    let (deferred, promise) = env.create_deferred()?;
    let then = move |result: Result<Vec<u8>>| {
        deferred.resolve(move |_| {
            Ok(match result {
                Ok(data) => Answer::A(Uint8Array::from(data)),
                Err(error) => Answer::B(error.into()),
            })
        });
    };
    let mut then = Some(then);
    let read = |device: &Device| {
        let (offset, bytes) = (size("byteOffset", offset)?, size("bytes", bytes)?);
        device.expect_running("reading a buffer")?;
        let source = device.readable(id, offset, bytes)?;
        if let Some(then) = then.take() {
            device.fence(move |result| {
                let copy = || {
                    let mut data = Vec::<u8>::with_capacity(bytes);
                    // SAFETY: the range was checked, and a fence runs on the queue's thread, behind the kernels that wrote there
                    // and before the memory is anyone else's. `data` has room for the bytes.
                    unsafe {
                        data.as_mut_ptr().copy_from_nonoverlapping(source.of::<u8>(), bytes);
                        data.set_len(bytes);
                    }
                    data
                };
                then(result.and_then(|()| copied(copy)));
            });
        }
        Ok(())
    };
    let result = with(device, read);
    if let (Err(error), Some(then)) = (result, then) {
        then(Err(error.of("read")));
    }
    Ok(promise)
}

#[napi(ts_return_type = "Promise<Failure | null>")]
pub fn synchronize<'env>(env: &'env Env, device: u32) -> napi::Result<Object<'env>> {
    let (deferred, promise) = env.create_deferred()?;
    let then = move |result: Result<()>| deferred.resolve(move |_| Ok(outcome(result)));
    match device_of(device) {
        Some(device) => device.fence(then),
        None => then(Err(closed())),
    }
    Ok(promise)
}

/// The shape of `MemoryInfo` in `@ift/tensor`.
#[napi(object, object_from_js = false)]
pub struct MemoryNumbers {
    pub allocated: f64,
    pub peak: f64,
    pub reserved: f64,
    pub mapped: f64,
    pub buffers: f64,
}

#[napi]
pub fn memory(device: u32) -> Either<MemoryNumbers, Failure> {
    let numbers = with(device, |device| {
        let memory = device.memory();
        Ok(MemoryNumbers {
            allocated: memory.allocated as f64,
            peak: memory.peak as f64,
            reserved: memory.reserved as f64,
            mapped: memory.mapped as f64,
            buffers: memory.buffers as f64,
        })
    });
    answer(numbers, "memory")
}

#[napi]
pub fn reset_peak(device: u32) -> Option<Failure> {
    outcome(with(device, |device| {
        device.reset_peak();
        Ok(())
    }))
}

/// Calls of one kernel since the profile was started.
#[napi(object, object_from_js = false)]
pub struct KernelTime {
    pub kernel: &'static str,
    /// What sets these calls apart from others of the kernel: the shape of a product.
    pub detail: String,
    pub calls: f64,
    pub ms: f64,
}

#[napi]
pub fn start_profile(device: u32) -> Option<Failure> {
    outcome(with(device, |device| {
        device.profile().start();
        Ok(())
    }))
}

#[napi]
pub fn stop_profile(device: u32) -> Either<Vec<KernelTime>, Failure> {
    let table = with(device, |device| {
        let table = device.profile().stop().into_iter().map(|((kernel, detail), spent)| {
            let ms = spent.time.as_secs_f64() * 1e3;
            KernelTime { kernel, detail, calls: spent.calls as f64, ms }
        });
        Ok(table.collect())
    });
    answer(table, "stopProfile")
}

/// What the machine can do at most.
#[napi(object, object_from_js = false)]
pub struct Roofs {
    /// GFLOP/s of products whose operands lie in the first-level cache.
    pub peak: f64,
    /// GB/s of reading memory.
    pub bandwidth: f64,
}

/// Measures for about half a second, behind what is queued; the caller waits.
#[napi]
pub fn roofs(device: u32, dtype: u32) -> Either<Roofs, Failure> {
    let measured = with(device, |device| {
        device.expect_running("measuring")?;
        let dtype = ift_kernel_abi::FloatDType::from_code(dtype)?;
        let (send, receive) = std::sync::mpsc::sync_channel(1);
        device.kernel("roofs", |_| {
            Ok(move |context: &Context| {
                let peak = crate::roofs::peak(&context.pool, context.isa, dtype, 0.25);
                let bandwidth = crate::roofs::bandwidth(&context.pool, 0.25);
                // Nobody waits any more when the device was closed.
                let _ = send.send(Roofs { peak, bandwidth });
                Ok(())
            })
        })?;
        receive.recv().map_err(|_| closed())
    });
    answer(measured, "roofs")
}
