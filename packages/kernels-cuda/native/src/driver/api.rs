//! The driver API: its functions, what their statuses mean, and what the driver says of itself and its devices.

use std::ffi::{CStr, c_char, c_int, c_uint, c_ulonglong, c_void};

use ift_kernel_abi::{Code, Error, Result};

use super::Facts;
use super::library::{self, Found};

type Status = c_int;
pub type Handle = *mut c_void;

pub const SUCCESS: Status = 0;
const OUT_OF_MEMORY: Status = 2;
/// CUDA 13.0, whose fat binaries these are.
const OLDEST_DRIVER: c_int = 13_000;
/// mma.sync on bf16 begins here.
const OLDEST_CAPABILITY: (u32, u32) = (8, 0);

const MULTIPROCESSOR_COUNT: c_int = 16;
const CAPABILITY_MAJOR: c_int = 75;
const CAPABILITY_MINOR: c_int = 76;

pub const DRIVER: &str = "libcuda.so.1";

macro_rules! driver_api {
    ($($field:ident = $symbol:literal ($($argument:ty),*);)*) => {
        pub struct Api {
            $(pub $field: unsafe extern "C" fn($($argument),*) -> Status,)*
            pub library: Found,
        }

        impl Api {
            fn load(library: Found) -> Result<Self> {
                // SAFETY: the types are those of cuda.h for these names.
                unsafe { Ok(Self { $($field: library.function($symbol)?,)* library }) }
            }
        }
    };
}

driver_api! {
    init = "cuInit" (c_uint);
    driver_version = "cuDriverGetVersion" (*mut c_int);
    device_count = "cuDeviceGetCount" (*mut c_int);
    device_get = "cuDeviceGet" (*mut c_int, c_int);
    device_name = "cuDeviceGetName" (*mut c_char, c_int, c_int);
    device_attribute = "cuDeviceGetAttribute" (*mut c_int, c_int, c_int);
    device_memory = "cuDeviceTotalMem_v2" (*mut usize, c_int);
    context_retain = "cuDevicePrimaryCtxRetain" (*mut Handle, c_int);
    context_release = "cuDevicePrimaryCtxRelease_v2" (c_int);
    context_set = "cuCtxSetCurrent" (Handle);
    mem_alloc = "cuMemAlloc_v2" (*mut u64, usize);
    mem_free = "cuMemFree_v2" (u64);
    upload = "cuMemcpyHtoDAsync_v2" (u64, *const c_void, usize, Handle);
    host_alloc = "cuMemHostAlloc" (*mut Handle, usize, c_uint);
    host_free = "cuMemFreeHost" (Handle);
    event_create = "cuEventCreate" (*mut Handle, c_uint);
    event_destroy = "cuEventDestroy_v2" (Handle);
    event_record = "cuEventRecord" (Handle, Handle);
    event_synchronize = "cuEventSynchronize" (Handle);
    event_elapsed = "cuEventElapsedTime" (*mut f32, Handle, Handle);
    download = "cuMemcpyDtoHAsync_v2" (*mut c_void, u64, usize, Handle);
    stream_create = "cuStreamCreate" (*mut Handle, c_uint);
    stream_destroy = "cuStreamDestroy_v2" (Handle);
    stream_query = "cuStreamQuery" (Handle);
    stream_synchronize = "cuStreamSynchronize" (Handle);
    begin_capture = "cuStreamBeginCapture_v2" (Handle, c_int);
    end_capture = "cuStreamEndCapture" (Handle, *mut Handle);
    graph_instantiate = "cuGraphInstantiateWithFlags" (*mut Handle, Handle, c_ulonglong);
    graph_destroy = "cuGraphDestroy" (Handle);
    graph_launch = "cuGraphLaunch" (Handle, Handle);
    graph_forget = "cuGraphExecDestroy" (Handle);
    module_load = "cuModuleLoadData" (*mut Handle, *const c_void);
    module_unload = "cuModuleUnload" (Handle);
    module_function = "cuModuleGetFunction" (*mut Handle, Handle, *const c_char);
    function_get = "cuFuncGetAttribute" (*mut c_int, c_int, Handle);
    function_set = "cuFuncSetAttribute" (Handle, c_int, c_int);
    launch = "cuLaunchKernel" (
        Handle, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, Handle, *mut *mut c_void, *mut *mut c_void
    );
    error_name = "cuGetErrorName" (Status, *mut *const c_char);
    error_string = "cuGetErrorString" (Status, *mut *const c_char);
}

impl Api {
    fn text(
        &self,
        get: unsafe extern "C" fn(Status, *mut *const c_char) -> Status,
        status: Status,
    ) -> String {
        let mut text = std::ptr::null();
        // SAFETY: a static string of the driver, or null for a status it does not know.
        unsafe {
            if get(status, &raw mut text) != SUCCESS || text.is_null() {
                return format!("CUDA error {status}");
            }
            CStr::from_ptr(text).to_string_lossy().into_owned()
        }
    }

    pub fn expect(&self, what: &str, status: Status) -> Result<()> {
        if status == SUCCESS {
            return Ok(());
        }
        let (name, text) = (self.text(self.error_name, status), self.text(self.error_string, status));
        Err(Error::new(code_of(status), format!("{what}: {name}: {text}")))
    }
}

/// What a status that is not success means for the caller. After the lost ones no call on the context succeeds: the device
/// is unavailable (46), has an uncorrectable memory or link error (214, 220) or a contained one (226), or a kernel failed so that
/// the driver ended all work (700 to 721: illegal address or instruction, time-out, assert, hardware exception, launch failure, …).
fn code_of(status: Status) -> Code {
    match status {
        OUT_OF_MEMORY => Code::OutOfMemory,
        46 | 214 | 220 | 226 | 700 | 702 | 710 | 714..=719 | 721 => Code::DeviceLost,
        _ => Code::Internal,
    }
}

pub fn unavailable(message: impl Into<String>) -> Error {
    Error::new(Code::BackendUnavailable, message)
}

/// The driver in a file, or the one of this machine.
pub fn load_driver(file: Option<&str>) -> Result<Api> {
    let hint = "install NVIDIA's driver 580 or newer";
    Api::load(file.map_or_else(|| library::open(DRIVER, hint), |file| library::open_file(file, hint))?)
}

/// Major and minor of the CUDA that the driver is for.
fn driver_version(api: &Api) -> (c_int, c_int) {
    let mut version = 0;
    // SAFETY: a pointer to a local; needs no cuInit.
    unsafe { (api.driver_version)(&raw mut version) };
    (version / 1000, version % 1000 / 10)
}

fn accept_driver((major, minor): (c_int, c_int)) -> Result<()> {
    if major * 1000 + minor * 10 >= OLDEST_DRIVER {
        return Ok(());
    }
    Err(unavailable(format!("the driver is for CUDA {major}.{minor}; CUDA 13.0 needs driver 580 or newer")))
}

pub fn accept_device(Facts { name, capability, .. }: &Facts) -> Result<()> {
    if *capability >= OLDEST_CAPABILITY {
        return Ok(());
    }
    let (major, minor) = capability;
    Err(unavailable(format!("{name} has compute capability {major}.{minor}; the kernels need 8.0 or newer")))
}

/// Starts a driver that is new enough and counts its devices.
pub fn start_driver(api: &Api) -> Result<c_int> {
    accept_driver(driver_version(api))?;
    let mut count = 0;
    // SAFETY: pointers to locals.
    unsafe {
        api.expect("cuInit", (api.init)(0)).map_err(|error| unavailable(error.message))?;
        api.expect("cuDeviceGetCount", (api.device_count)(&raw mut count))?;
    }
    Ok(count)
}

/// What the driver says of itself and of its devices; none of them is opened.
pub struct Installed {
    pub file: String,
    pub cuda: (c_int, c_int),
    pub devices: Result<Vec<Facts>>,
}

/// Looks at the driver of this machine.
pub fn installed() -> Result<Installed> {
    let api = load_driver(None)?;
    let devices = start_driver(&api).and_then(|count| {
        let each = (0..count).map(|index| {
            let mut device = 0;
            // SAFETY: pointers to locals; the driver has started.
            unsafe {
                api.expect("cuDeviceGet", (api.device_get)(&raw mut device, index))?;
                facts(&api, device)
            }
        });
        each.collect()
    });
    Ok(Installed { file: api.library.file(DRIVER), cuda: driver_version(&api), devices })
}

/// What a device is.
///
/// # Safety
/// The driver has started and has the device.
pub unsafe fn facts(api: &Api, device: c_int) -> Result<Facts> {
    let attribute = |which| {
        let mut value = 0;
        // SAFETY: a device of the driver.
        let status = unsafe { (api.device_attribute)(&raw mut value, which, device) };
        api.expect("cuDeviceGetAttribute", status).map(|()| value as u32)
    };
    let mut name = [0 as c_char; 128];
    let mut memory = 0;
    // SAFETY: as above.
    unsafe {
        api.expect("cuDeviceGetName", (api.device_name)(name.as_mut_ptr(), 127, device))?;
        api.expect("cuDeviceTotalMem", (api.device_memory)(&raw mut memory, device))?;
        Ok(Facts {
            name: CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned(),
            capability: (attribute(CAPABILITY_MAJOR)?, attribute(CAPABILITY_MINOR)?),
            multiprocessors: attribute(MULTIPROCESSOR_COUNT)?,
            memory,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_before_cuda_13_are_refused() {
        let error = accept_driver((12, 8)).unwrap_err();
        assert_eq!(error.code, Code::BackendUnavailable);
        assert_eq!(error.message, "the driver is for CUDA 12.8; CUDA 13.0 needs driver 580 or newer");
        assert!(accept_driver((13, 0)).is_ok() && accept_driver((14, 1)).is_ok());
    }

    #[test]
    fn devices_before_ampere_are_refused() {
        let device =
            |capability| Facts { name: "Tesla T4".into(), capability, multiprocessors: 40, memory: 1 };
        let error = accept_device(&device((7, 5))).unwrap_err();
        assert_eq!(error.code, Code::BackendUnavailable);
        assert_eq!(error.message, "Tesla T4 has compute capability 7.5; the kernels need 8.0 or newer");
        assert!(accept_device(&device((8, 0))).is_ok() && accept_device(&device((12, 0))).is_ok());
    }

    #[test]
    fn a_sticky_status_is_a_lost_device() {
        for status in [46, 214, 226, 700, 716, 719, 721] {
            assert_eq!(code_of(status), Code::DeviceLost);
        }
        assert_eq!(code_of(OUT_OF_MEMORY), Code::OutOfMemory);
        // Launches that ask for too much fail by themselves.
        for status in [1, 701, 720, 900] {
            assert_eq!(code_of(status), Code::Internal);
        }
    }
}
