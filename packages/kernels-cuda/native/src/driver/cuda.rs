//! An NVIDIA GPU, through the driver API: one stream, kernels from the embedded fat binaries, products by cuBLASLt.

use std::collections::HashMap;
use std::ffi::{c_int, c_uint, c_void};
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ift_kernel_abi::Result;

use super::api::{Api, Handle, accept_device, facts, load_driver, start_driver, unavailable};
use super::functions::Functions;
use super::images::IMAGES;
use super::library;
use super::lt::Lt;
use super::timing::Timing;
use super::{Driver, Facts, KernelFacts, Product};
use crate::kernels::geometry::Geometry;
use crate::profile::KernelTime;

/// Pinned memory that the GPU copies from by itself, and the event behind the last copy.
#[derive(Clone, Copy)]
struct Staging {
    memory: Handle,
    copied: Handle,
}

impl Staging {
    const BYTES: usize = 16 << 20;

    fn new(api: &Api) -> Result<Self> {
        const NO_TIMING: c_uint = 2;
        let (mut memory, mut copied) = (null_mut(), null_mut());
        // SAFETY: pointers to locals; the context is current.
        unsafe {
            api.expect("cuMemHostAlloc", (api.host_alloc)(&raw mut memory, Self::BYTES, 0))?;
            let created = api.expect("cuEventCreate", (api.event_create)(&raw mut copied, NO_TIMING));
            if let Err(error) = created {
                (api.host_free)(memory);
                return Err(error);
            }
        }
        Ok(Self { memory, copied })
    }

    unsafe fn free(&self, api: &Api) {
        // SAFETY: from `new`; the caller has waited for the last copy.
        unsafe {
            (api.event_destroy)(self.copied);
            (api.host_free)(self.memory);
        }
    }
}

/// Pinned memory that uploads of a recording are copied from, each time it is replayed.
#[derive(Default)]
struct Constants(Vec<Handle>);

#[derive(Default)]
struct Recordings {
    /// Of the recording that has been begun.
    open: Option<Constants>,
    /// By the handle of the graph.
    kept: HashMap<u64, Constants>,
}

pub struct Cuda {
    api: Api,
    facts: Facts,
    device: c_int,
    context: Handle,
    stream: Handle,
    functions: Functions,
    lt: Mutex<Lt>,
    /// Two, so that one is filled while the other is copied; made for the first file.
    staging: Mutex<Vec<Staging>>,
    recordings: Mutex<Recordings>,
    /// While a profile is taken.
    timing: Mutex<Option<Timing>>,
}

// SAFETY: the driver API may be called from any thread that has the context, and the handles are only passed to it.
unsafe impl Send for Cuda {}
unsafe impl Sync for Cuda {}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub const CUBLAS_LT: &str = "libcublasLt.so.13";
pub const CUBLAS_HINT: &str = "pip install 'nvidia-cublas==13.*', or install libcublas-13-*";

/// Whether the add-on holds kernels.
pub fn has_kernels() -> bool {
    !IMAGES.is_empty()
}

impl Cuda {
    /// Opens the device of that index, or says what is missing.
    pub fn open(index: u32) -> Result<Self> {
        if IMAGES.is_empty() {
            return Err(unavailable("this add-on was built without nvcc and holds no GPU kernels"));
        }
        let api = load_driver()?;
        let count = start_driver(&api)?;
        // SAFETY: calls of the driver API with pointers to locals, here and below.
        unsafe {
            if i64::from(index) >= i64::from(count) {
                return Err(unavailable(format!("there is no GPU {index}: the driver shows {count}")));
            }
            let mut device = 0;
            api.expect("cuDeviceGet", (api.device_get)(&raw mut device, index as c_int))?;
            let facts = facts(&api, device)?;
            accept_device(&facts)?;
            let lt = library::open(CUBLAS_LT, CUBLAS_HINT)?;
            let mut context = null_mut();
            api.expect("cuDevicePrimaryCtxRetain", (api.context_retain)(&raw mut context, device))?;
            let mut cuda = Self {
                api,
                facts,
                device,
                context,
                stream: null_mut(),
                functions: Functions::default(),
                lt: Mutex::new(Lt::load(lt)?),
                staging: Mutex::default(),
                recordings: Mutex::default(),
                timing: Mutex::default(),
            };
            cuda.attach()?;
            cuda.prepare()?;
            Ok(cuda)
        }
    }

    fn prepare(&mut self) -> Result<()> {
        const NON_BLOCKING: c_uint = 1;
        // SAFETY: as in `open`; the images are whole fat binaries.
        unsafe {
            let status = (self.api.stream_create)(&raw mut self.stream, NON_BLOCKING);
            self.api.expect("cuStreamCreate", status)?;
        }
        self.functions.load(&self.api, IMAGES)?;
        let workspace = self.alloc(Lt::WORKSPACE)?;
        lock(&self.lt).start(workspace)
    }
}

impl Cuda {
    /// Does a launch, between two events where it is measured. What a recording takes down is not.
    fn timed(
        &self,
        kernel: &str,
        detail: impl FnOnce() -> String,
        launch: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        match &mut *lock(&self.timing) {
            Some(timing) if lock(&self.recordings).open.is_none() => {
                timing.time(&self.api, self.stream, kernel, detail(), launch)
            }
            _ => launch(),
        }
    }

    fn release(&self, constants: Constants) {
        for memory in constants.0 {
            // SAFETY: from `upload`; nothing copies from it any more.
            unsafe { (self.api.host_free)(memory) };
        }
    }
}

impl Driver for Cuda {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn attach(&self) -> Result<()> {
        // SAFETY: the retained context.
        self.api.expect("cuCtxSetCurrent", unsafe { (self.api.context_set)(self.context) })
    }

    fn alloc(&self, bytes: usize) -> Result<u64> {
        let mut address = 0;
        // SAFETY: the context is current on every thread that allocates.
        let status = unsafe { (self.api.mem_alloc)(&raw mut address, bytes.max(1)) };
        self.api.expect("cuMemAlloc", status).map(|()| address)
    }

    fn free(&self, address: u64) {
        // SAFETY: from `alloc`. A lost device has nothing left to free.
        unsafe { (self.api.mem_free)(address) };
    }

    fn upload(&self, to: u64, data: &[u8]) -> Result<()> {
        let mut from: Handle = data.as_ptr().cast_mut().cast();
        if let Some(constants) = &mut lock(&self.recordings).open {
            // What a graph copies from must outlive it.
            // SAFETY: pointers to locals; the new memory has the bytes of `data`.
            unsafe {
                let status = (self.api.host_alloc)(&raw mut from, data.len().max(1), 0);
                self.api.expect("cuMemHostAlloc", status)?;
                from.cast::<u8>().copy_from_nonoverlapping(data.as_ptr(), data.len());
            }
            constants.0.push(from);
        }
        // SAFETY: the caller has checked the range; pageable memory is read before the call returns.
        let status = unsafe { (self.api.upload)(to, from, data.len(), self.stream) };
        self.api.expect("cuMemcpyHtoD", status)
    }

    fn upload_filled(
        &self,
        to: u64,
        bytes: usize,
        fill: &mut dyn FnMut(&mut [u8]) -> Result<()>,
    ) -> Result<()> {
        let mut staging = lock(&self.staging);
        while staging.len() < 2 {
            staging.push(Staging::new(&self.api)?);
        }
        for (turn, at) in (0..bytes).step_by(Staging::BYTES).enumerate() {
            let Staging { memory, copied } = staging[turn % 2];
            let length = (bytes - at).min(Staging::BYTES);
            // SAFETY: the copy from this memory, if there was one, has ended; the lock keeps other threads out.
            unsafe {
                self.api.expect("waiting for a copy", (self.api.event_synchronize)(copied))?;
                fill(std::slice::from_raw_parts_mut(memory.cast(), length))?;
                let status = (self.api.upload)(to + at as u64, memory, length, self.stream);
                self.api.expect("cuMemcpyHtoD", status)?;
                self.api.expect("cuEventRecord", (self.api.event_record)(copied, self.stream))?;
            }
        }
        Ok(())
    }

    fn download(&self, from: u64, data: &mut [u8]) -> Result<()> {
        // SAFETY: as above; the copy has ended when the stream has.
        let status = unsafe { (self.api.download)(data.as_mut_ptr().cast(), from, data.len(), self.stream) };
        self.api.expect("cuMemcpyDtoH", status)?;
        self.synchronize()
    }

    fn launch(&self, name: &str, geometry: &Geometry, shared: usize, args: &[u8]) -> Result<()> {
        let function = self.functions.get(&self.api, name, shared)?;
        let ([gx, gy, gz], [bx, by, bz]) = (geometry.grid, geometry.block);
        let mut parameters = [args.as_ptr().cast_mut().cast::<c_void>()];
        self.timed(name, String::new, || {
            // SAFETY: the kernel has one parameter, the struct of `args`, which the driver copies.
            let status = unsafe {
                let (shared, parameters) = (shared as c_uint, parameters.as_mut_ptr());
                let nothing = null_mut();
                (self.api.launch)(function, gx, gy, gz, bx, by, bz, shared, self.stream, parameters, nothing)
            };
            self.api.expect(name, status)
        })
    }

    fn gemm(&self, product: &Product) -> Result<()> {
        let multiply = || lock(&self.lt).multiply(product, self.stream);
        self.timed("gemm", || product.detail(), multiply)
    }

    fn begin_recording(&self) -> Result<()> {
        // Other threads may allocate meanwhile, and so may this one for what an upload is copied from.
        const RELAXED: c_int = 2;
        // SAFETY: the device's own stream.
        let status = unsafe { (self.api.begin_capture)(self.stream, RELAXED) };
        self.api.expect("cuStreamBeginCapture", status)?;
        lock(&self.recordings).open = Some(Constants::default());
        Ok(())
    }

    fn end_recording(&self) -> Result<u64> {
        let constants = lock(&self.recordings).open.take().unwrap_or_default();
        let (mut graph, mut recording) = (null_mut(), null_mut());
        // SAFETY: pointers to locals; the graph is not needed once it is instantiated.
        let made = unsafe {
            let ended =
                self.api.expect("cuStreamEndCapture", (self.api.end_capture)(self.stream, &raw mut graph));
            ended.and_then(|()| {
                let status = (self.api.graph_instantiate)(&raw mut recording, graph, 0);
                (self.api.graph_destroy)(graph);
                self.api.expect("cuGraphInstantiate", status)
            })
        };
        if let Err(error) = made {
            self.release(constants);
            return Err(error);
        }
        lock(&self.recordings).kept.insert(recording as u64, constants);
        Ok(recording as u64)
    }

    fn replay(&self, recording: u64) -> Result<()> {
        self.timed("replay", String::new, || {
            // SAFETY: a handle of `end_recording`.
            let status = unsafe { (self.api.graph_launch)(recording as Handle, self.stream) };
            self.api.expect("cuGraphLaunch", status)
        })
    }

    fn forget_recording(&self, recording: u64) {
        let constants = lock(&self.recordings).kept.remove(&recording);
        if let Some(constants) = constants {
            // A launch under way may still copy from them.
            let _ = self.synchronize();
            // SAFETY: a handle of `end_recording`, forgotten once.
            unsafe { (self.api.graph_forget)(recording as Handle) };
            self.release(constants);
        }
    }

    fn stream(&self) -> usize {
        self.stream as usize
    }

    fn inventory(&self) -> Vec<KernelFacts> {
        self.functions.inventory(&self.api)
    }

    fn start_profile(&self) -> Result<()> {
        let before = lock(&self.timing).replace(Timing::default());
        if let Some(before) = before {
            before.drop_events(&self.api);
        }
        Ok(())
    }

    fn stop_profile(&self) -> Result<Vec<KernelTime>> {
        let timing = lock(&self.timing).take();
        timing.map_or_else(|| Ok(Vec::new()), |timing| timing.end(&self.api))
    }

    fn synchronize(&self) -> Result<()> {
        // SAFETY: the device's own stream.
        self.api.expect("waiting for the GPU", unsafe { (self.api.stream_synchronize)(self.stream) })
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        // SAFETY: nothing uses the device any more; the context is current while its parts are given back.
        unsafe {
            (self.api.context_set)(self.context);
            if let Some(workspace) = lock(&self.lt).stop() {
                (self.api.mem_free)(workspace);
            }
            if let Some(timing) = lock(&self.timing).take() {
                timing.drop_events(&self.api);
            }
            for staging in lock(&self.staging).drain(..) {
                (self.api.event_synchronize)(staging.copied);
                staging.free(&self.api);
            }
            self.functions.unload(&self.api);
            if !self.stream.is_null() {
                (self.api.stream_destroy)(self.stream);
            }
            (self.api.context_release)(self.device);
        }
    }
}
