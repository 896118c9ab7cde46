//! The functions of MPI that are used, taken from the library by name.

use std::ffi::{c_char, c_int, c_void};

use ift_kernel_abi::{Code, Error, Result};
use libloading::Library;

use super::abi::{Abi, Handle, Source};
use crate::library::{Symbols, open_first, symbol};

type Buffer = *mut c_void;

macro_rules! functions {
    ($($field:ident = $name:literal: fn($($argument:ty),*);)*) => {
        /// One field a function; all return an error code.
        pub struct Functions { $(pub $field: unsafe extern "C" fn($($argument),*) -> c_int,)* }

        impl Functions {
            fn load(library: &Library, file: &str) -> Result<Self> {
                // SAFETY: the types are those of the MPI standard.
                Ok(Self { $($field: unsafe { symbol(library, file, $name)? },)* })
            }
        }
    };
}

functions! {
    init_thread = "MPI_Init_thread": fn(*mut c_int, *mut c_void, c_int, *mut c_int);
    initialized = "MPI_Initialized": fn(*mut c_int);
    finalize = "MPI_Finalize": fn();
    finalized = "MPI_Finalized": fn(*mut c_int);
    abort = "MPI_Abort": fn(Handle, c_int);
    comm_rank = "MPI_Comm_rank": fn(Handle, *mut c_int);
    comm_size = "MPI_Comm_size": fn(Handle, *mut c_int);
    set_errhandler = "MPI_Comm_set_errhandler": fn(Handle, Handle);
    error_string = "MPI_Error_string": fn(c_int, *mut c_char, *mut c_int);
    library_version = "MPI_Get_library_version": fn(*mut c_char, *mut c_int);
    iallgather = "MPI_Iallgather":
        fn(*const c_void, c_int, Handle, Buffer, c_int, Handle, Handle, *mut Handle);
    ialltoall = "MPI_Ialltoall":
        fn(*const c_void, c_int, Handle, Buffer, c_int, Handle, Handle, *mut Handle);
    ibcast = "MPI_Ibcast": fn(Buffer, c_int, Handle, c_int, Handle, *mut Handle);
    ibarrier = "MPI_Ibarrier": fn(Handle, *mut Handle);
    isend = "MPI_Isend": fn(*const c_void, c_int, Handle, c_int, c_int, Handle, *mut Handle);
    irecv = "MPI_Irecv": fn(Buffer, c_int, Handle, c_int, c_int, Handle, *mut Handle);
    test = "MPI_Test": fn(*mut Handle, *mut c_int, *mut c_void);
    cancel = "MPI_Cancel": fn(*mut Handle);
    wait = "MPI_Wait": fn(*mut Handle, *mut c_void);
}

/// An MPI library, open. It stays open to the end of the process: MPI leaves threads and exit handlers behind.
pub struct Api {
    pub mpi: Functions,
    pub abi: &'static Abi,
    pub file: String,
    pub world: Handle,
    pub byte: Handle,
    pub errors_return: Handle,
}

impl Api {
    /// Opens the library that is named, or the first of the interface's own.
    pub fn open(abi: &'static Abi, named: Option<&str>) -> Result<Self> {
        let what = format!("{}, which CPU ranks talk over,", abi.name);
        let (library, file) = match named {
            Some(path) => open_first(&what, &[path], Symbols::Global)?,
            None => open_first(&what, abi.libraries, Symbols::Global)?,
        };
        let handle = |source: Source| match source {
            Source::Value(value) => Ok(value),
            Source::Symbol(name) => {
                // SAFETY: only the address is taken.
                unsafe { symbol::<*const c_void>(&library, &file, name) }.map(|address| address as Handle)
            }
        };
        let (world, byte, errors_return) =
            (handle(abi.comm_world)?, handle(abi.byte)?, handle(abi.errors_return)?);
        let mpi = Functions::load(&library, &file)?;
        std::mem::forget(library);
        Ok(Self { mpi, abi, file, world, byte, errors_return })
    }

    /// An error code as an error that names the function and carries the library's own text.
    pub fn check(&self, function: &str, code: c_int) -> Result<()> {
        if code == 0 {
            return Ok(());
        }
        // MPI_MAX_ERROR_STRING is at most 1024 in every implementation known.
        let mut text = [0u8; 4096];
        let mut length = 0;
        // SAFETY: the buffer is longer than the library writes.
        unsafe { (self.mpi.error_string)(code, text.as_mut_ptr().cast(), &raw mut length) };
        let length = usize::try_from(length).unwrap_or(0).min(text.len());
        let message = format!("{function} failed: {}", String::from_utf8_lossy(&text[..length]));
        Err(Error::new(Code::Collective, message))
    }

    /// First line of what the library says of itself.
    pub fn version(&self) -> String {
        // MPI_MAX_LIBRARY_VERSION_STRING is 256 in Open MPI and 8192 in MPICH.
        let mut text = vec![0u8; 16384];
        let mut length = 0;
        // SAFETY: the buffer is longer than the library writes.
        unsafe { (self.mpi.library_version)(text.as_mut_ptr().cast(), &raw mut length) };
        let length = usize::try_from(length).unwrap_or(0).min(text.len());
        let text = String::from_utf8_lossy(&text[..length]);
        text.trim_end_matches('\0').split([',', '\n']).next().unwrap_or_default().trim().to_owned()
    }
}
