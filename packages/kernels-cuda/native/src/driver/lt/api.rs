//! cuBLASLt: its functions, and the values of cublas_api.h, cublasLt.h and library_types.h that are used.

use std::ffi::{c_int, c_void};

use ift_kernel_abi::{Code, Error, FloatDType, Result};

use crate::driver::library::Found;

pub type Status = c_int;
pub type Handle = *mut c_void;

pub const COMPUTE_32F: c_int = 68;
pub const R_32F: c_int = 0;
const R_16F: c_int = 2;
const R_16BF: c_int = 14;
pub const TRANSPOSED: c_int = 1;
pub const DESC_TRANSA: c_int = 3;
pub const DESC_TRANSB: c_int = 4;
pub const DESC_EPILOGUE: c_int = 7;
pub const DESC_BIAS_POINTER: c_int = 8;
pub const DESC_BIAS_TYPE: c_int = 26;
pub const EPILOGUE_BIAS: c_int = 4;
pub const PREFERENCE_WORKSPACE: c_int = 1;
/// Least alignments of A, B, C and D follow each other from here.
pub const PREFERENCE_ALIGNMENT_A: c_int = 5;

pub const SUCCESS: Status = 0;
pub const NOT_SUPPORTED: Status = 15;

/// `cublasLtMatmulAlgo_t`.
pub type Algorithm = [u64; 8];

/// `cublasLtMatmulHeuristicResult_t`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Heuristic {
    pub algorithm: Algorithm,
    pub workspace: usize,
    pub state: Status,
    waves: f32,
    reserved: [c_int; 4],
}

macro_rules! lt_api {
    ($($field:ident = $symbol:literal ($($argument:ty),*);)*) => {
        pub struct Api {
            $(pub $field: unsafe extern "C" fn($($argument),*) -> Status,)*
            _library: Found,
        }

        impl Api {
            pub fn load(library: Found) -> Result<Self> {
                // SAFETY: the types are those of cublasLt.h for these names.
                unsafe { Ok(Self { $($field: library.function($symbol)?,)* _library: library }) }
            }
        }
    };
}

lt_api! {
    create = "cublasLtCreate" (*mut Handle);
    destroy = "cublasLtDestroy" (Handle);
    desc_create = "cublasLtMatmulDescCreate" (*mut Handle, c_int, c_int);
    desc_set = "cublasLtMatmulDescSetAttribute" (Handle, c_int, *const c_void, usize);
    desc_destroy = "cublasLtMatmulDescDestroy" (Handle);
    layout_create = "cublasLtMatrixLayoutCreate" (*mut Handle, c_int, u64, u64, i64);
    layout_destroy = "cublasLtMatrixLayoutDestroy" (Handle);
    preference_create = "cublasLtMatmulPreferenceCreate" (*mut Handle);
    preference_set = "cublasLtMatmulPreferenceSetAttribute" (Handle, c_int, *const c_void, usize);
    preference_destroy = "cublasLtMatmulPreferenceDestroy" (Handle);
    heuristic = "cublasLtMatmulAlgoGetHeuristic" (
        Handle, Handle, Handle, Handle, Handle, Handle, Handle, c_int, *mut Heuristic, *mut c_int
    );
    check = "cublasLtMatmulAlgoCheck" (
        Handle, Handle, Handle, Handle, Handle, Handle, *const Algorithm, *mut Heuristic
    );
    matmul = "cublasLtMatmul" (
        Handle, Handle, *const c_void, *const c_void, Handle, *const c_void, Handle, *const c_void, *const c_void,
        Handle, *mut c_void, Handle, *const Algorithm, *mut c_void, usize, Handle
    );
}

/// A status as cublas_api.h names it.
pub fn name_of(status: Status) -> &'static str {
    match status {
        0 => "CUBLAS_STATUS_SUCCESS",
        1 => "CUBLAS_STATUS_NOT_INITIALIZED",
        3 => "CUBLAS_STATUS_ALLOC_FAILED",
        7 => "CUBLAS_STATUS_INVALID_VALUE",
        8 => "CUBLAS_STATUS_ARCH_MISMATCH",
        11 => "CUBLAS_STATUS_MAPPING_ERROR",
        13 => "CUBLAS_STATUS_EXECUTION_FAILED",
        14 => "CUBLAS_STATUS_INTERNAL_ERROR",
        15 => "CUBLAS_STATUS_NOT_SUPPORTED",
        16 => "CUBLAS_STATUS_LICENSE_ERROR",
        _ => "unknown to this version",
    }
}

pub fn expect(what: &str, status: Status) -> Result<()> {
    if status == SUCCESS {
        return Ok(());
    }
    Err(Error::new(Code::Internal, format!("{what}: cuBLAS status {status}, {}", name_of(status))))
}

pub const fn kind(dtype: FloatDType) -> c_int {
    match dtype {
        FloatDType::F32 => R_32F,
        FloatDType::Bf16 => R_16BF,
        FloatDType::F16 => R_16F,
    }
}
