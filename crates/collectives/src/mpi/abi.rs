//! What sets the MPI libraries apart: their files and the values behind the names of `mpi.h`. Handles are pointers in
//! Open MPI and 32-bit integers in MPICH; either travels in a register of pointer width, of which the callee reads what
//! its type needs.

/// A handle of a communicator, datatype, request or error handler.
pub type Handle = usize;

/// Where the value of a handle comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// The address of a symbol of the library.
    Symbol(&'static str),
    Value(Handle),
}

/// One binary interface of MPI.
#[derive(Debug)]
pub struct Abi {
    pub name: &'static str,
    pub libraries: &'static [&'static str],
    pub comm_world: Source,
    pub byte: Source,
    pub errors_return: Source,
    /// MPI_STATUS_IGNORE, an address that is no address.
    pub status_ignore: usize,
    pub thread_serialized: i32,
}

#[cfg(target_os = "macos")]
const OPEN_MPI_FILES: &[&str] =
    &["libmpi.40.dylib", "/opt/homebrew/lib/libmpi.40.dylib", "/usr/local/lib/libmpi.40.dylib"];
#[cfg(not(target_os = "macos"))]
const OPEN_MPI_FILES: &[&str] = &[
    "libmpi.so.40",
    "/usr/lib64/openmpi/lib/libmpi.so.40",
    "/usr/local/lib/libmpi.so.40",
    "/opt/openmpi/lib/libmpi.so.40",
];

#[cfg(target_os = "macos")]
const MPICH_FILES: &[&str] = &["libmpi.12.dylib", "/opt/homebrew/lib/libmpi.12.dylib"];
#[cfg(not(target_os = "macos"))]
const MPICH_FILES: &[&str] =
    &["libmpi.so.12", "libmpich.so.12", "/usr/lib64/mpich/lib/libmpi.so.12", "/usr/local/lib/libmpi.so.12"];

/// Open MPI 4 and 5.
pub const OPEN_MPI: Abi = Abi {
    name: "Open MPI",
    libraries: OPEN_MPI_FILES,
    comm_world: Source::Symbol("ompi_mpi_comm_world"),
    byte: Source::Symbol("ompi_mpi_byte"),
    errors_return: Source::Symbol("ompi_mpi_errors_return"),
    status_ignore: 0,
    thread_serialized: 2,
};

/// MPICH 3.1 to 4, Intel MPI and the others of the common MPICH interface.
pub const MPICH: Abi = Abi {
    name: "MPICH",
    libraries: MPICH_FILES,
    comm_world: Source::Value(0x4400_0000),
    byte: Source::Value(0x4c00_010d),
    errors_return: Source::Value(0x5400_0001),
    status_ignore: 1,
    thread_serialized: 2,
};
