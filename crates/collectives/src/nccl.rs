//! Ranks on GPUs: NCCL, loaded by name. Its enumerations are those of `nccl.h`, which keeps them from version to version.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

use ift_kernel_abi::{Code, DType, Error, Result};
use libloading::Library;

use crate::Reduce;
use crate::library::{Symbols, open_first, symbol};

/// Bytes of what rank 0 makes and every rank begins with.
pub const ID_BYTES: usize = 128;

/// `ncclUniqueId`, which travels by value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct UniqueId(pub [u8; ID_BYTES]);

/// First version with bf16 and an asynchronous error that can be trusted, as `ncclGetVersion` writes 2.10.3.
const OLDEST: i32 = 21003;

type Comm = *mut c_void;
type Stream = *mut c_void;

macro_rules! functions {
    ($($field:ident = $name:literal: fn($($argument:ty),*) $(-> $result:ty)?;)*) => {
        struct Functions { $($field: unsafe extern "C" fn($($argument),*) -> functions!(@ $($result)?),)* }

        impl Functions {
            /// Names of the functions that a library must have.
            const NAMES: &[&str] = &[$($name),*];

            fn load(library: &Library, file: &str) -> Result<Self> {
                // SAFETY: the types are those of nccl.h.
                Ok(Self { $($field: unsafe { symbol(library, file, $name)? },)* })
            }
        }
    };
    (@) => { c_int };
    (@ $result:ty) => { $result };
}

functions! {
    get_version = "ncclGetVersion": fn(*mut c_int);
    get_unique_id = "ncclGetUniqueId": fn(*mut UniqueId);
    comm_init_rank = "ncclCommInitRank": fn(*mut Comm, c_int, UniqueId, c_int);
    comm_destroy = "ncclCommDestroy": fn(Comm);
    comm_abort = "ncclCommAbort": fn(Comm);
    comm_get_async_error = "ncclCommGetAsyncError": fn(Comm, *mut c_int);
    get_error_string = "ncclGetErrorString": fn(c_int) -> *const c_char;
    all_reduce = "ncclAllReduce": fn(*const c_void, *mut c_void, usize, c_int, c_int, Comm, Stream);
    reduce_scatter = "ncclReduceScatter": fn(*const c_void, *mut c_void, usize, c_int, c_int, Comm, Stream);
    all_gather = "ncclAllGather": fn(*const c_void, *mut c_void, usize, c_int, Comm, Stream);
    broadcast = "ncclBroadcast": fn(*const c_void, *mut c_void, usize, c_int, c_int, Comm, Stream);
    group_start = "ncclGroupStart": fn();
    group_end = "ncclGroupEnd": fn();
}

/// Names of the functions that are taken from the library.
pub const FUNCTIONS: &[&str] = Functions::NAMES;

/// ncclInProgress: what an operation that still runs answers.
const IN_PROGRESS: c_int = 7;

const FILE: &str = "libnccl.so.2";

/// Files to look for, in order: the one that is named, or the library in the folder that is; in the folder IFT_CUDA_LIB, and
/// beside it, where Python's wheels put it (`nvidia/cu13/lib` and `nvidia/nccl/lib`); what the loader finds; the toolkit's; those
/// of Python packages in the active environments. `env` gives environment variables.
pub fn candidates(named: Option<&str>, env: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    if let Some(path) = named {
        let path = Path::new(path);
        return vec![text(if path.is_dir() { path.join(FILE) } else { path.to_owned() })];
    }
    let mut files = Vec::new();
    if let Some(folder) = env("IFT_CUDA_LIB").map(PathBuf::from) {
        files.push(text(folder.join(FILE)));
        let beside = folder.ancestors().nth(2).map(|nvidia| nvidia.join("nccl/lib").join(FILE));
        files.extend(beside.map(text));
    }
    files.push(FILE.to_owned());
    for home in [env("CUDA_HOME"), env("CUDA_PATH"), Some("/usr/local/cuda".to_owned())].into_iter().flatten()
    {
        files.push(format!("{home}/lib64/{FILE}"));
    }
    for prefix in [env("VIRTUAL_ENV"), env("CONDA_PREFIX")].into_iter().flatten() {
        let lib = Path::new(&prefix).join("lib");
        let Ok(entries) = std::fs::read_dir(&lib) else { continue };
        let mut pythons: Vec<_> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("python3")))
            .collect();
        pythons.sort();
        files.extend(
            pythons.iter().map(|python| text(python.join("site-packages/nvidia/nccl/lib").join(FILE))),
        );
    }
    files
}

/// The library, open and of a version that serves.
pub struct NcclLibrary {
    nccl: Functions,
    /// As `ncclGetVersion` writes it: 23007 is 2.30.7.
    pub version: i32,
    pub file: String,
}

/// A version number as people write it.
fn version_text(version: i32) -> String {
    format!("{}.{}.{}", version / 10000, version / 100 % 100, version % 100)
}

impl NcclLibrary {
    pub fn open(files: &[String]) -> Result<Self> {
        let (library, file) = open_first("NCCL, which GPU ranks talk over,", files, Symbols::Local)?;
        let nccl = Functions::load(&library, &file)?;
        // NCCL keeps threads: it is never unloaded.
        std::mem::forget(library);
        let mut version = 0;
        // SAFETY: an out parameter.
        let code = unsafe { (nccl.get_version)(&raw mut version) };
        let this = Self { nccl, version, file };
        this.check("ncclGetVersion", code)?;
        if version < OLDEST {
            let (found, oldest) = (version_text(version), version_text(OLDEST));
            let message = format!("{} is NCCL {found}, expected {oldest} or newer", this.file);
            return Err(Error::new(Code::BackendUnavailable, message));
        }
        Ok(this)
    }

    fn check(&self, function: &str, code: c_int) -> Result<()> {
        if code == 0 || code == IN_PROGRESS {
            return Ok(());
        }
        // SAFETY: a static text of the library.
        let text = unsafe {
            let text = (self.nccl.get_error_string)(code);
            if text.is_null() { "unknown".into() } else { CStr::from_ptr(text).to_string_lossy() }
        };
        Err(Error::new(Code::Collective, format!("{function} failed: {text} ({code})")))
    }

    /// What rank 0 makes for all.
    pub fn unique_id(&self) -> Result<UniqueId> {
        let mut id = UniqueId([0; ID_BYTES]);
        // SAFETY: an out parameter of the size that the library writes.
        self.check("ncclGetUniqueId", unsafe { (self.nccl.get_unique_id)(&raw mut id) })?;
        Ok(id)
    }

    /// Joins the ranks that begin with the same id, on the device that is current. Waits until all have come.
    pub fn join(self, id: UniqueId, rank: usize, size: usize) -> Result<Nccl> {
        let mut comm = std::ptr::null_mut();
        let (of, this) = (size as c_int, rank as c_int);
        // SAFETY: an out parameter.
        let code = unsafe { (self.nccl.comm_init_rank)(&raw mut comm, of, id, this) };
        self.check("ncclCommInitRank", code)?;
        Ok(Nccl { library: self, comm, rank, size })
    }
}

/// The code of a dtype. Reductions of 16-bit floats would round at every rank, so they are not offered.
fn code_of(dtype: DType, reduces: bool) -> Result<c_int> {
    match dtype {
        DType::F32 => Ok(7),
        DType::I32 => Ok(2),
        DType::U8 if !reduces => Ok(1),
        DType::Bf16 if !reduces => Ok(9),
        DType::F16 if !reduces => Ok(6),
        other => {
            let message =
                format!("NCCL reduces {} with a rounding at every rank, expected f32 or i32", other.name());
            Err(Error::new(Code::Dtype, message))
        }
    }
}

/// The communicator of all ranks. Buffers are addresses on the device, `stream` is a CUDA stream: calls enqueue.
pub struct Nccl {
    library: NcclLibrary,
    comm: Comm,
    rank: usize,
    size: usize,
}

// SAFETY: NCCL's communicators may be used from any thread, one at a time.
unsafe impl Send for Nccl {}

impl Nccl {
    pub fn rank(&self) -> usize {
        self.rank
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// Library and version, and its file.
    pub fn description(&self) -> String {
        format!("NCCL {} ({})", version_text(self.library.version), self.library.file)
    }

    /// data [n] becomes the reduction over ranks.
    ///
    /// # Safety
    /// The buffers of this and the following calls are the device's, long enough, and live until the stream has run.
    pub unsafe fn all_reduce(
        &self,
        data: usize,
        n: usize,
        dtype: DType,
        op: Reduce,
        stream: usize,
    ) -> Result<()> {
        let (kind, data) = (code_of(dtype, true)?, data as *mut c_void);
        let op = if op == Reduce::Sum { 0 } else { 2 };
        let call = self.library.nccl.all_reduce;
        // SAFETY: the caller's.
        let code = unsafe { call(data, data, n, kind, op, self.comm, stream as Stream) };
        self.library.check("ncclAllReduce", code)
    }

    /// out [n] = the sum over ranks of row `rank` of data [size, n].
    ///
    /// # Safety
    /// As for `all_reduce`.
    pub unsafe fn reduce_scatter(
        &self,
        out: usize,
        data: usize,
        n: usize,
        dtype: DType,
        stream: usize,
    ) -> Result<()> {
        let kind = code_of(dtype, true)?;
        let call = self.library.nccl.reduce_scatter;
        // SAFETY: the caller's.
        let code = unsafe { call(data as _, out as _, n, kind, 0, self.comm, stream as Stream) };
        self.library.check("ncclReduceScatter", code)
    }

    /// out [size, n] = data [n] of every rank.
    ///
    /// # Safety
    /// As for `all_reduce`.
    pub unsafe fn all_gather(
        &self,
        out: usize,
        data: usize,
        n: usize,
        dtype: DType,
        stream: usize,
    ) -> Result<()> {
        let kind = code_of(dtype, false)?;
        let call = self.library.nccl.all_gather;
        // SAFETY: the caller's.
        let code = unsafe { call(data as _, out as _, n, kind, self.comm, stream as Stream) };
        self.library.check("ncclAllGather", code)
    }

    /// data [n] of rank `root` to every rank.
    ///
    /// # Safety
    /// As for `all_reduce`.
    pub unsafe fn broadcast(
        &self,
        data: usize,
        n: usize,
        dtype: DType,
        root: usize,
        stream: usize,
    ) -> Result<()> {
        if root >= self.size {
            let message = format!("broadcast from rank {root} of {}", self.size);
            return Err(Error::new(Code::Argument, message));
        }
        let kind = code_of(dtype, false)?;
        let call = self.library.nccl.broadcast;
        // SAFETY: the caller's.
        let code = unsafe { call(data as _, data as _, n, kind, root as c_int, self.comm, stream as Stream) };
        self.library.check("ncclBroadcast", code)
    }

    /// Queues the collectives of `body` as one.
    pub fn group(&self, body: impl FnOnce() -> Result<()>) -> Result<()> {
        // SAFETY: no arguments.
        self.library.check("ncclGroupStart", unsafe { (self.library.nccl.group_start)() })?;
        let inside = body();
        // SAFETY: ends the group above, also after an error.
        let end = self.library.check("ncclGroupEnd", unsafe { (self.library.nccl.group_end)() });
        inside.and(end)
    }

    /// The error that a queued collective has met since, such as a rank that is gone.
    pub fn check_async(&self) -> Result<()> {
        let mut error = 0;
        // SAFETY: an out parameter.
        let code = unsafe { (self.library.nccl.comm_get_async_error)(self.comm, &raw mut error) };
        self.library.check("ncclCommGetAsyncError", code)?;
        self.library.check("a collective", error)
    }

    /// Ends the communicator after a good end; the stream has run.
    pub fn leave(self) -> Result<()> {
        // SAFETY: consumed.
        let code = unsafe { (self.library.nccl.comm_destroy)(self.comm) };
        self.library.check("ncclCommDestroy", code)
    }

    /// Ends the communicator and the collectives that still wait on the device.
    pub fn abort(self) -> Result<()> {
        // SAFETY: consumed.
        let code = unsafe { (self.library.nccl.comm_abort)(self.comm) };
        self.library.check("ncclCommAbort", code)
    }
}
