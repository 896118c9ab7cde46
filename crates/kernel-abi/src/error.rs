//! Errors that become `IftError`s.

use std::fmt;

/// Machine-readable name of an error, `IFT_…` in JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A handle that was never given out, or was freed.
    BufferInvalid,
    /// A buffer is too short for what a kernel would read or write, misaligned for its dtype, or read-only.
    BufferBounds,
    /// A size, offset or option outside its range.
    Argument,
    Dtype,
    /// A row index outside its table, found when the kernel ran.
    IndexRange,
    OutOfMemory,
    FileUnreadable,
    /// A mapped file whose pages went away.
    FileChanged,
    BackendClosed,
    BackendUnavailable,
    /// The device does not answer any more: no later call on it will.
    DeviceLost,
    /// A call that cannot be part of a recording, or a recording that went wrong.
    Recording,
    /// A shared library of the machine, or a function of it, is not there.
    LibraryMissing,
    /// The library under a collective reports an error.
    Collective,
    /// A rank did not come to a collective in time.
    RankMissing,
    /// A defect of the backend itself.
    Internal,
}

impl Code {
    pub const fn name(self) -> &'static str {
        match self {
            Self::BufferInvalid => "IFT_BUFFER_INVALID",
            Self::BufferBounds => "IFT_BUFFER_BOUNDS",
            Self::Argument => "IFT_ARGUMENT",
            Self::Dtype => "IFT_DTYPE",
            Self::IndexRange => "IFT_INDEX_RANGE",
            Self::OutOfMemory => "IFT_OUT_OF_MEMORY",
            Self::FileUnreadable => "IFT_FILE_UNREADABLE",
            Self::FileChanged => "IFT_FILE_CHANGED",
            Self::BackendClosed => "IFT_BACKEND_CLOSED",
            Self::BackendUnavailable => "IFT_BACKEND_UNAVAILABLE",
            Self::DeviceLost => "IFT_DEVICE_LOST",
            Self::Recording => "IFT_RECORDING",
            Self::LibraryMissing => "IFT_LIBRARY_MISSING",
            Self::Collective => "IFT_COLLECTIVE",
            Self::RankMissing => "IFT_RANK_MISSING",
            Self::Internal => "IFT_INTERNAL",
        }
    }
}

/// What happened, where, and with which values.
#[derive(Clone, Debug)]
pub struct Error {
    pub code: Code,
    pub message: String,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The same error with the kernel's name in front.
    pub fn of(mut self, kernel: &str) -> Self {
        self.message = format!("{kernel}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

impl std::error::Error for Error {}

pub type Result<T> = std::result::Result<T, Error>;
