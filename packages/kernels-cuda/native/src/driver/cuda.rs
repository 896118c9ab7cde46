//! An NVIDIA GPU, through the driver API: one stream, kernels from the embedded fat binaries, products by cuBLASLt.

use std::env;
use std::ffi::{c_int, c_uint, c_void};
use std::ptr::null_mut;
use std::sync::Mutex;

use ift_kernel_abi::{Result, no_recording};

use super::api::{Api, Handle, accept_device, facts, load_driver, start_driver, unavailable};
use super::functions::Functions;
use super::graphs::Graphs;
use super::images::IMAGES;
use super::library;
use super::lt::Lt;
use super::staging::Staging;
use super::timing::Timing;
use super::trace::Trace;
use super::{Driver, Facts, KernelFacts, Product, lock};
use crate::plan::geometry::Geometry;
use crate::profile::KernelTime;

pub struct Cuda {
    api: Api,
    facts: Facts,
    device: c_int,
    context: Handle,
    stream: Handle,
    functions: Functions,
    lt: Mutex<Lt>,
    staging: Mutex<Staging>,
    graphs: Mutex<Graphs>,
    /// While a profile is taken.
    timing: Mutex<Option<Timing>>,
    trace: Trace,
    /// Whether each launch is waited for, so that an error names it: CUDA_LAUNCH_BLOCKING=1.
    blocking: bool,
}

// SAFETY: the driver API may be called from any thread that has the context, and the handles are only passed to it.
unsafe impl Send for Cuda {}
// SAFETY: as above.
unsafe impl Sync for Cuda {}

pub const CUBLAS_LT: &str = "libcublasLt.so.13";
pub const CUBLAS_HINT: &str = "pip install 'nvidia-cublas==13.*', or install libcublas-13-*";

/// Whether the add-on holds kernels.
pub fn has_kernels() -> bool {
    !IMAGES.is_empty()
}

/// Where the driver, cuBLASLt and the kernels come from.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    /// A file of the driver; none is the machine's.
    pub driver: Option<&'a str>,
    /// A file of cuBLASLt; none looks for it.
    pub cublas_lt: Option<&'a str>,
    pub images: &'a [&'a [u8]],
    pub blocking: bool,
}

impl Cuda {
    /// Opens the device of that index, or says what is missing.
    pub fn open(index: u32) -> Result<Self> {
        if IMAGES.is_empty() {
            return Err(unavailable("this add-on was built without nvcc and holds no GPU kernels"));
        }
        let blocking = env::var_os("CUDA_LAUNCH_BLOCKING").is_some_and(|value| value == "1");
        Self::open_from(&Sources { driver: None, cublas_lt: None, images: IMAGES, blocking }, index)
    }

    /// Opens the device of that index of a driver.
    pub fn open_from(sources: &Sources<'_>, index: u32) -> Result<Self> {
        let api = load_driver(sources.driver)?;
        let count = start_driver(&api)?;
        if i64::from(index) >= i64::from(count) {
            return Err(unavailable(format!("there is no GPU {index}: the driver shows {count}")));
        }
        let (mut device, mut context) = (0, null_mut());
        // SAFETY: calls of the driver API with pointers to locals.
        let facts = unsafe {
            api.expect("cuDeviceGet", (api.device_get)(&raw mut device, index as c_int))?;
            facts(&api, device)?
        };
        accept_device(&facts)?;
        let lt = match sources.cublas_lt {
            Some(file) => library::open_file(file, CUBLAS_HINT)?,
            None => library::open(CUBLAS_LT, CUBLAS_HINT)?,
        };
        let lt = Mutex::new(Lt::load(lt)?);
        // SAFETY: as above; the context is released when the device is dropped.
        let status = unsafe { (api.context_retain)(&raw mut context, device) };
        api.expect("cuDevicePrimaryCtxRetain", status)?;
        let mut cuda = Self {
            api,
            facts,
            device,
            context,
            stream: null_mut(),
            functions: Functions::default(),
            lt,
            staging: Mutex::default(),
            graphs: Mutex::default(),
            timing: Mutex::default(),
            trace: Trace::default(),
            blocking: sources.blocking,
        };
        cuda.prepare(sources.images)?;
        Ok(cuda)
    }

    fn prepare(&mut self, images: &[&[u8]]) -> Result<()> {
        const NON_BLOCKING: c_uint = 1;
        self.attach()?;
        // SAFETY: a pointer to a field.
        let status = unsafe { (self.api.stream_create)(&raw mut self.stream, NON_BLOCKING) };
        self.api.expect("cuStreamCreate", status)?;
        self.functions.load(&self.api, images)?;
        let workspace = self.alloc(Lt::WORKSPACE)?;
        lock(&self.lt).start(workspace)
    }

    /// What a call of the driver answered.
    fn expect(&self, what: &str, status: c_int) -> Result<()> {
        self.trace.keep(self.api.expect(what, status))
    }

    /// Does a launch: measured where that is wanted, and waited for where an error is to name it. What a recording takes down
    /// runs later.
    fn start(
        &self,
        kernel: &str,
        detail: impl Fn() -> String,
        launch: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        self.trace.expect_alive()?;
        let taken = lock(&self.graphs).takes_launch();
        if taken {
            return self.trace.keep(launch());
        }
        let name = || [kernel, &detail()].join(" ").trim_end().to_owned();
        let launched = match &mut *lock(&self.timing) {
            Some(timing) => timing.time(&self.api, self.stream, kernel, detail(), launch),
            None => launch(),
        };
        self.trace.keep(launched)?;
        if self.blocking {
            // SAFETY: the device's own stream, which does not record.
            let status = unsafe { (self.api.stream_synchronize)(self.stream) };
            return self.expect(&name(), status);
        }
        self.trace.launch(&name());
        Ok(())
    }

    /// The error of the device behind a failure of a library on it, if there is one.
    fn device_error(&self) -> Result<()> {
        const NOT_READY: c_int = 600;
        if lock(&self.graphs).is_open() {
            return Ok(());
        }
        // SAFETY: the device's own stream, which does not record.
        let status = unsafe { (self.api.stream_query)(self.stream) };
        if status == NOT_READY {
            return Ok(());
        }
        self.trace.waited(self.api.expect("the GPU", status))
    }
}

impl Driver for Cuda {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn attach(&self) -> Result<()> {
        // SAFETY: the retained context.
        self.expect("cuCtxSetCurrent", unsafe { (self.api.context_set)(self.context) })
    }

    fn alloc(&self, bytes: usize) -> Result<u64> {
        self.trace.expect_alive()?;
        // The thread may have worked on another device since.
        self.attach()?;
        let mut address = 0;
        // SAFETY: a pointer to a local.
        let status = unsafe { (self.api.mem_alloc)(&raw mut address, bytes.max(1)) };
        self.expect("cuMemAlloc", status).map(|()| address)
    }

    fn free(&self, address: u64) {
        let _ = self.attach();
        // SAFETY: from `alloc`. A lost device has nothing left to free.
        unsafe { (self.api.mem_free)(address) };
    }

    fn upload(&self, to: u64, data: &[u8]) -> Result<()> {
        self.trace.expect_alive()?;
        // What a graph copies from must outlive it.
        let constant = self.trace.keep(lock(&self.graphs).constant(&self.api, data))?;
        if let Some(from) = constant {
            // SAFETY: a copy of `data`; the caller has checked the range.
            let status = unsafe { (self.api.upload)(to, from, data.len(), self.stream) };
            return self.expect("cuMemcpyHtoD", status);
        }
        let mut rest = data;
        let mut fill = |piece: &mut [u8]| {
            let (now, later) = rest.split_at(piece.len());
            piece.copy_from_slice(now);
            rest = later;
            Ok(())
        };
        self.upload_filled(to, data.len(), &mut fill)
    }

    fn upload_filled(
        &self,
        to: u64,
        bytes: usize,
        fill: &mut dyn FnMut(&mut [u8]) -> Result<()>,
    ) -> Result<()> {
        self.trace.expect_alive()?;
        self.trace.keep(lock(&self.staging).copy(&self.api, self.stream, to, bytes, fill))
    }

    fn download(&self, from: u64, data: &mut [u8]) -> Result<()> {
        self.trace.expect_alive()?;
        // SAFETY: the caller has checked the range; the copy has ended when the stream has.
        let status = unsafe { (self.api.download)(data.as_mut_ptr().cast(), from, data.len(), self.stream) };
        self.expect("cuMemcpyDtoH", status)?;
        self.synchronize()
    }

    fn launch(&self, name: &str, geometry: &Geometry, shared: usize, args: &[u8]) -> Result<()> {
        let function = self.functions.get(&self.api, name, shared)?;
        let ([gx, gy, gz], [bx, by, bz]) = (geometry.grid, geometry.block);
        let mut parameters = [args.as_ptr().cast_mut().cast::<c_void>()];
        self.start(name, String::new, || {
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
        self.start(
            "gemm",
            || product.detail(),
            || {
                let started = lock(&self.lt).multiply(product, self.stream);
                // The library has no word for a device that is lost.
                started.or_else(|error| self.device_error().and(Err(error)))
            },
        )
    }

    fn begin_recording(&self) -> Result<()> {
        self.trace.expect_alive()?;
        self.trace.keep(lock(&self.graphs).begin(&self.api, self.stream))
    }

    fn end_recording(&self) -> Result<u64> {
        self.trace.keep(lock(&self.graphs).end(&self.api, self.stream))
    }

    fn replay(&self, recording: u64) -> Result<()> {
        let launches = lock(&self.graphs).launches(recording).ok_or_else(no_recording)?;
        self.start(
            "replay",
            || format!("of {launches} launches"),
            || {
                // SAFETY: a handle of `end_recording`.
                let status = unsafe { (self.api.graph_launch)(recording as Handle, self.stream) };
                self.api.expect("cuGraphLaunch", status)
            },
        )
    }

    fn forget_recording(&self, recording: u64) {
        // A replay under way may still copy from what is freed.
        let _ = self.synchronize();
        lock(&self.graphs).forget(&self.api, recording);
    }

    fn abandon_recording(&self) {
        lock(&self.graphs).abandon(&self.api, self.stream);
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
        let times = timing.map_or_else(|| Ok(Vec::new()), |timing| timing.end(&self.api));
        self.trace.keep(times)
    }

    fn synchronize(&self) -> Result<()> {
        self.trace.expect_alive()?;
        // SAFETY: the device's own stream.
        let status = unsafe { (self.api.stream_synchronize)(self.stream) };
        self.trace.waited(self.api.expect("waiting for the GPU", status))
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        let _ = self.attach();
        self.abandon_recording();
        // SAFETY: nothing uses the device any more; the context is current while its parts are given back.
        unsafe {
            if !self.stream.is_null() {
                (self.api.stream_synchronize)(self.stream);
            }
            // Those whose end was still queued when the device was closed.
            lock(&self.graphs).forget_all(&self.api);
            if let Some(workspace) = lock(&self.lt).stop() {
                (self.api.mem_free)(workspace);
            }
            if let Some(timing) = lock(&self.timing).take() {
                timing.drop_events(&self.api);
            }
            lock(&self.staging).free(&self.api);
            self.functions.unload(&self.api);
            if !self.stream.is_null() {
                (self.api.stream_destroy)(self.stream);
            }
            (self.api.context_set)(null_mut());
            (self.api.context_release)(self.device);
        }
    }
}
