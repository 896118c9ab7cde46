//! Products by cuBLASLt, the chosen algorithm kept for each shape.
//!
//! cuBLASLt counts in columns: a row-major y [m, n] is its matrix [n, m], so that b is its left factor and a its right.

use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::ptr::{from_ref, null_mut};

use ift_kernel_abi::{Code, Error, FloatDType, Result};

use super::Product;
use super::library::Found;

type Status = c_int;
type Handle = *mut c_void;

// Values of cublas_api.h, cublasLt.h and library_types.h.
const COMPUTE_32F: c_int = 68;
const R_32F: c_int = 0;
const R_16F: c_int = 2;
const R_16BF: c_int = 14;
const TRANSPOSED: c_int = 1;
const DESC_TRANSA: c_int = 3;
const DESC_TRANSB: c_int = 4;
const DESC_EPILOGUE: c_int = 7;
const DESC_BIAS_POINTER: c_int = 8;
const DESC_BIAS_TYPE: c_int = 26;
const EPILOGUE_BIAS: c_int = 4;
const PREFERENCE_WORKSPACE: c_int = 1;
/// Least alignments of A, B, C and D follow each other from here.
const PREFERENCE_ALIGNMENT_A: c_int = 5;

/// `cublasLtMatmulHeuristicResult_t`.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Heuristic {
    algorithm: [u64; 8],
    workspace: usize,
    state: Status,
    waves: f32,
    reserved: [c_int; 4],
}

macro_rules! lt_api {
    ($($field:ident = $symbol:literal ($($argument:ty),*);)*) => {
        struct Api {
            $($field: unsafe extern "C" fn($($argument),*) -> Status,)*
            _library: Found,
        }

        impl Api {
            fn load(library: Found) -> Result<Self> {
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
    layout_create = "cublasLtMatrixLayoutCreate" (*mut Handle, c_int, u64, u64, i64);
    preference_create = "cublasLtMatmulPreferenceCreate" (*mut Handle);
    preference_set = "cublasLtMatmulPreferenceSetAttribute" (Handle, c_int, *const c_void, usize);
    preference_destroy = "cublasLtMatmulPreferenceDestroy" (Handle);
    heuristic = "cublasLtMatmulAlgoGetHeuristic" (
        Handle, Handle, Handle, Handle, Handle, Handle, Handle, c_int, *mut Heuristic, *mut c_int
    );
    matmul = "cublasLtMatmul" (
        Handle, Handle, *const c_void, *const c_void, Handle, *const c_void, Handle, *const c_void, *const c_void,
        Handle, *mut c_void, Handle, *const Heuristic, *mut c_void, usize, Handle
    );
}

fn expect(what: &str, status: Status) -> Result<()> {
    if status == 0 {
        return Ok(());
    }
    Err(Error::new(Code::Internal, format!("{what}: cuBLAS status {status}")))
}

const fn kind(dtype: FloatDType) -> c_int {
    match dtype {
        FloatDType::F32 => R_32F,
        FloatDType::Bf16 => R_16BF,
        FloatDType::F16 => R_16F,
    }
}

/// What an algorithm is chosen by.
#[derive(PartialEq, Eq, Hash, Clone, Copy)]
struct Key {
    sizes: [usize; 3],
    turned: [bool; 2],
    types: [c_int; 2],
    accumulate: bool,
    bias: bool,
    alignments: [u32; 4],
}

/// A shape's descriptors and algorithm; they live as long as the process uses the shape.
#[derive(Clone, Copy)]
struct Plan {
    desc: Handle,
    left: Handle,
    right: Handle,
    out: Handle,
    algorithm: Heuristic,
}

pub struct Lt {
    api: Api,
    handle: Handle,
    workspace: u64,
    plans: HashMap<Key, Plan>,
}

fn alignment(address: u64) -> u32 {
    1 << address.trailing_zeros().min(8)
}

impl Lt {
    /// What NVIDIA recommends for Hopper.
    pub const WORKSPACE: usize = 32 << 20;

    pub fn load(library: Found) -> Result<Self> {
        Ok(Self { api: Api::load(library)?, handle: null_mut(), workspace: 0, plans: HashMap::new() })
    }

    /// Begins with the device's context current.
    pub fn start(&mut self, workspace: u64) -> Result<()> {
        self.workspace = workspace;
        // SAFETY: a pointer to a field.
        expect("cublasLtCreate", unsafe { (self.api.create)(&raw mut self.handle) })
    }

    /// Ends, and gives the workspace back.
    pub fn stop(&mut self) -> Option<u64> {
        if !self.handle.is_null() {
            // SAFETY: from `start`.
            unsafe { (self.api.destroy)(self.handle) };
            self.handle = null_mut();
        }
        (self.workspace != 0).then_some(self.workspace)
    }

    unsafe fn set(&self, desc: Handle, attribute: c_int, value: &c_int) -> Result<()> {
        // SAFETY: attributes of four bytes.
        let status = unsafe { (self.api.desc_set)(desc, attribute, from_ref(value).cast(), 4) };
        expect("cublasLtMatmulDescSetAttribute", status)
    }

    unsafe fn point(&self, desc: Handle, bias: u64) -> Result<()> {
        // SAFETY: an attribute of eight bytes.
        let status = unsafe { (self.api.desc_set)(desc, DESC_BIAS_POINTER, from_ref(&bias).cast(), 8) };
        expect("cublasLtMatmulDescSetAttribute", status)
    }

    unsafe fn plan(&self, p: &Product, key: &Key) -> Result<Plan> {
        let Product { m, n, k, .. } = *p;
        let api = &self.api;
        let layout = |kind, rows: usize, cols: usize| {
            let mut layout = null_mut();
            // SAFETY: a pointer to a local; matrices are packed.
            let status =
                unsafe { (api.layout_create)(&raw mut layout, kind, rows as u64, cols as u64, rows as i64) };
            expect("cublasLtMatrixLayoutCreate", status).map(|()| layout)
        };
        let (kind_in, kind_out) = (kind(p.dtype), kind(p.out_dtype));
        // SAFETY: pointers to locals, attributes of the sizes that the header gives.
        unsafe {
            let mut desc = null_mut();
            expect("cublasLtMatmulDescCreate", (api.desc_create)(&raw mut desc, COMPUTE_32F, R_32F))?;
            if p.trans_b {
                self.set(desc, DESC_TRANSA, &TRANSPOSED)?;
            }
            if p.trans_a {
                self.set(desc, DESC_TRANSB, &TRANSPOSED)?;
            }
            if p.bias != 0 {
                self.set(desc, DESC_EPILOGUE, &EPILOGUE_BIAS)?;
                self.set(desc, DESC_BIAS_TYPE, &kind_out)?;
                // Its alignment is one of the things that an algorithm is chosen by.
                self.point(desc, p.bias)?;
            }
            let left = if p.trans_b { layout(kind_in, k, n)? } else { layout(kind_in, n, k)? };
            let right = if p.trans_a { layout(kind_in, m, k)? } else { layout(kind_in, k, m)? };
            let out = layout(kind_out, n, m)?;
            let mut preference = null_mut();
            expect("cublasLtMatmulPreferenceCreate", (api.preference_create)(&raw mut preference))?;
            let set = |attribute, value: *const c_void, bytes| {
                expect(
                    "cublasLtMatmulPreferenceSetAttribute",
                    (api.preference_set)(preference, attribute, value, bytes),
                )
            };
            let most = Self::WORKSPACE as u64;
            set(PREFERENCE_WORKSPACE, from_ref(&most).cast(), 8)?;
            let [y, a, b, _] = key.alignments;
            for (place, bytes) in (PREFERENCE_ALIGNMENT_A..).zip([b, a, y, y]) {
                set(place, from_ref(&bytes).cast(), 4)?;
            }
            let mut algorithm = Heuristic::default();
            let mut found = 0;
            let status = (api.heuristic)(
                self.handle,
                desc,
                left,
                right,
                out,
                out,
                preference,
                1,
                &raw mut algorithm,
                &raw mut found,
            );
            (api.preference_destroy)(preference);
            if status != 0 || found == 0 {
                let message = format!("cuBLASLt has no algorithm for {p:?} (status {status})");
                return Err(Error::new(Code::Internal, message));
            }
            Ok(Plan { desc, left, right, out, algorithm })
        }
    }

    /// Starts a product on the stream.
    pub fn multiply(&mut self, p: &Product, stream: Handle) -> Result<()> {
        p.expect_types_of_library()?;
        if p.m == 0 || p.n == 0 {
            return Ok(());
        }
        let key = Key {
            sizes: [p.m, p.n, p.k],
            turned: [p.trans_a, p.trans_b],
            types: [kind(p.dtype), kind(p.out_dtype)],
            accumulate: p.accumulate,
            bias: p.bias != 0,
            alignments: [p.y, p.a, p.b, p.bias].map(alignment),
        };
        let known = self.plans.get(&key).copied();
        // SAFETY: the caller has checked the lengths of the operands.
        unsafe {
            let plan = match known {
                Some(plan) => plan,
                None => self.plan(p, &key)?,
            };
            if known.is_none() {
                self.plans.insert(key, plan);
            }
            if p.bias != 0 {
                self.point(plan.desc, p.bias)?;
            }
            let beta = if p.accumulate { 1.0f32 } else { 0.0 };
            let status = (self.api.matmul)(
                self.handle,
                plan.desc,
                from_ref(&p.alpha).cast(),
                p.b as *const c_void,
                plan.left,
                p.a as *const c_void,
                plan.right,
                from_ref(&beta).cast(),
                p.y as *const c_void,
                plan.out,
                p.y as *mut c_void,
                plan.out,
                &raw const plan.algorithm,
                self.workspace as *mut c_void,
                Self::WORKSPACE,
                stream,
            );
            expect("cublasLtMatmul", status)
        }
    }
}
