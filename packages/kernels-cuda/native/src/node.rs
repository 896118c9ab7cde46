//! The door to JavaScript: free functions over numbered devices, with the names and arguments of the CPU add-on's.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use ift_kernel_abi::{Error, Result, size};
use napi::bindgen_prelude::{Either, Env, Null, Object, Uint8Array};
use napi_derive::napi;

use crate::device::{Checked, Device};
use crate::driver::Driver;
use crate::launch::Context;
use crate::profile::KernelTime;
use crate::queue::closed_error;

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
        devices.get(device as usize).and_then(Option::as_deref).ok_or_else(closed_error).and_then(body)
    })
}

/// The open device of a number.
pub fn device_of(device: u32) -> Option<Rc<Device>> {
    DEVICES.with_borrow(|devices| devices.get(device as usize).cloned().flatten())
}

pub fn outcome(result: Result<()>) -> Option<Failure> {
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
    check: impl FnOnce(&Checked<'_>) -> Result<K>,
) -> Option<Failure>
where
    K: FnOnce(&Context) -> Result<()> + Send + 'static,
{
    outcome(with(device, |device| device.kernel(name, check)))
}

/// A device just opened.
#[napi(object, object_from_js = false)]
pub struct Opened {
    pub device: u32,
    pub name: String,
    pub capability: String,
    pub multiprocessors: u32,
    pub memory: f64,
}

/// Gives a device a number on this thread.
pub fn register(driver: Arc<dyn Driver>) -> Result<Opened> {
    let device = Device::new(driver)?;
    let facts = device.facts().clone();
    let number = DEVICES.with_borrow_mut(|devices| {
        devices.push(Some(Rc::new(device)));
        devices.len() as u32 - 1
    });
    Ok(Opened {
        device: number,
        name: facts.name,
        capability: format!("{}.{}", facts.capability.0, facts.capability.1),
        multiprocessors: facts.multiprocessors,
        memory: facts.memory as f64,
    })
}

/// Opens the GPU of that index among those the driver shows.
#[cfg(not(feature = "emulated"))]
#[napi]
pub fn open(index: u32) -> Either<Opened, Failure> {
    answer(crate::driver::cuda::Cuda::open(index).and_then(|driver| register(Arc::new(driver))), "open")
}

/// One thing of NVIDIA's that was looked for: what was found, or why not and what to install.
#[cfg(not(feature = "emulated"))]
#[napi(object, object_from_js = false)]
pub struct Finding {
    pub name: String,
    pub found: bool,
    pub text: String,
}

/// What the machine has; works without a GPU, a driver or any library.
#[cfg(not(feature = "emulated"))]
#[napi]
pub fn probe() -> Vec<Finding> {
    let findings = crate::driver::probe::probe().into_iter();
    findings
        .map(|crate::driver::probe::Finding { name, found, text }| Finding { name, found, text })
        .collect()
}

/// Opens the emulator; `schedule` orders the threads of a block, `memory` is its bytes or 0 for 8 GiB, and
/// after `life` launches it is lost, never for 0.
#[cfg(feature = "emulated")]
#[napi]
pub fn open_emulated(schedule: u32, memory: f64, life: u32) -> Either<Opened, Failure> {
    let open = |memory| {
        let driver = crate::driver::emulated::Emulated::new(schedule, memory, life.into());
        register(Arc::new(driver))
    };
    answer(size("memory", memory).and_then(open), "open")
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
    outcome(with(device, |device| device.free(id).map_err(|error| error.of("free"))))
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
pub fn write(device: u32, id: u32, data: Uint8Array, offset: f64) -> Option<Failure> {
    let write = |device: &Device| device.write(id, &data, size("byteOffset", offset)?);
    outcome(with(device, |device| write(device).map_err(|error| error.of("write"))))
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
    // Taken by the read that is queued; left for the error of one that is not.
    let then = Arc::new(std::sync::Mutex::new(Some(then)));
    let queued = Arc::clone(&then);
    let call = |then: &std::sync::Mutex<Option<_>>, result| {
        let then = then.lock().ok().and_then(|mut then| then.take());
        if let Some(then) = then {
            let then: Box<dyn FnOnce(Result<Vec<u8>>)> = Box::new(then);
            then(result);
        }
    };
    let result = with(device, |device| {
        let (offset, bytes) = (size("byteOffset", offset)?, size("bytes", bytes)?);
        device.read(id, offset, bytes, move |result| call(&queued, result))
    });
    if let Err(error) = result {
        call(&then, Err(error.of("read")));
    }
    Ok(promise)
}

#[napi(ts_return_type = "Promise<Failure | null>")]
pub fn synchronize<'env>(env: &'env Env, device: u32) -> napi::Result<Object<'env>> {
    let (deferred, promise) = env.create_deferred()?;
    let then = move |result: Result<()>| deferred.resolve(move |_| Ok(outcome(result)));
    match device_of(device) {
        Some(device) => device.fence(then),
        None => then(Err(closed_error())),
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
        let memory = device.memory()?;
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
    outcome(with(device, Device::reset_peak))
}

/// A kernel that the add-on launches, as it was built for the device.
#[napi(object, object_from_js = false)]
pub struct KernelNumbers {
    pub name: String,
    pub registers: u32,
    pub local_bytes: u32,
    pub shared_bytes: u32,
    pub const_bytes: u32,
    pub largest_block: u32,
    pub dynamic_shared: u32,
    pub error: Either<String, Null>,
}

#[napi]
pub fn inventory(device: u32) -> Either<Vec<KernelNumbers>, Failure> {
    let kernels = with(device, Device::inventory).map(|kernels| {
        let numbers = kernels.into_iter().map(|kernel| KernelNumbers {
            name: kernel.name,
            registers: kernel.registers,
            local_bytes: kernel.local_bytes,
            shared_bytes: kernel.shared_bytes,
            const_bytes: kernel.const_bytes,
            largest_block: kernel.largest_block,
            dynamic_shared: kernel.dynamic_shared,
            error: kernel.error.map_or(Either::B(Null), Either::A),
        });
        numbers.collect()
    });
    answer(kernels, "inventory")
}

/// Calls of one kernel since the profile was started.
#[napi(object, object_from_js = false)]
pub struct KernelTimes {
    pub kernel: String,
    pub detail: String,
    pub calls: f64,
    pub ms: f64,
}

#[napi]
pub fn start_profile(device: u32) -> Option<Failure> {
    outcome(with(device, |device| device.start_profile().map_err(|error| error.of("startProfile"))))
}

#[napi]
pub fn stop_profile(device: u32) -> Either<Vec<KernelTimes>, Failure> {
    let times = with(device, Device::stop_profile).map(|times| {
        let times = times.into_iter();
        times
            .map(|KernelTime { kernel, detail, calls, ms }| KernelTimes {
                kernel,
                detail,
                calls: calls as f64,
                ms,
            })
            .collect()
    });
    answer(times, "stopProfile")
}
