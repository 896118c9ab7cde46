//! A product as cuBLASLt describes it.
//!
//! cuBLASLt counts in columns: a row-major y [m, n] is its matrix [n, m], so that b is its left factor and a its right.

use std::ffi::{c_int, c_void};
use std::ptr::{from_ref, null_mut};
use std::sync::Arc;

use ift_kernel_abi::Result;

use super::api::{
    Algorithm, Api, COMPUTE_32F, DESC_BIAS_POINTER, DESC_BIAS_TYPE, DESC_EPILOGUE, DESC_TRANSA, DESC_TRANSB,
    EPILOGUE_BIAS, Handle, Heuristic, NOT_SUPPORTED, PREFERENCE_ALIGNMENT_A, PREFERENCE_WORKSPACE, R_32F,
    SUCCESS, TRANSPOSED, expect, kind,
};
use crate::driver::Product;

/// Algorithms that are asked for.
const MOST: usize = 8;

/// Bytes that an address is a multiple of, as far as algorithms care.
pub fn alignment(address: u64) -> u32 {
    1 << address.trailing_zeros().min(8)
}

/// The descriptor of a product and its layouts, destroyed with it.
pub struct Problem {
    api: Arc<Api>,
    desc: Handle,
    left: Handle,
    right: Handle,
    out: Handle,
}

impl Problem {
    pub fn new(api: &Arc<Api>, p: &Product) -> Result<Self> {
        let Product { m, n, k, .. } = *p;
        let (kind_in, kind_out) = (kind(p.dtype), kind(p.out_dtype));
        let nothing = null_mut();
        let mut this =
            Self { api: Arc::clone(api), desc: nothing, left: nothing, right: nothing, out: nothing };
        // SAFETY: a pointer to a field.
        let status = unsafe { (api.desc_create)(&raw mut this.desc, COMPUTE_32F, R_32F) };
        expect("cublasLtMatmulDescCreate", status)?;
        if p.trans_b {
            this.set(DESC_TRANSA, &TRANSPOSED)?;
        }
        if p.trans_a {
            this.set(DESC_TRANSB, &TRANSPOSED)?;
        }
        if p.bias != 0 {
            this.set(DESC_EPILOGUE, &EPILOGUE_BIAS)?;
            this.set(DESC_BIAS_TYPE, &kind_out)?;
            // Its alignment is one of the things that an algorithm is chosen by.
            this.point(p.bias)?;
        }
        let layout = |kind, rows: usize, cols: usize| {
            let mut layout = null_mut();
            // SAFETY: a pointer to a local; matrices are packed.
            let status =
                unsafe { (api.layout_create)(&raw mut layout, kind, rows as u64, cols as u64, rows as i64) };
            expect("cublasLtMatrixLayoutCreate", status).map(|()| layout)
        };
        this.left = if p.trans_b { layout(kind_in, k, n)? } else { layout(kind_in, n, k)? };
        this.right = if p.trans_a { layout(kind_in, m, k)? } else { layout(kind_in, k, m)? };
        this.out = layout(kind_out, n, m)?;
        Ok(this)
    }

    fn set<T>(&self, attribute: c_int, value: &T) -> Result<()> {
        // SAFETY: an attribute of the size of T.
        let status =
            unsafe { (self.api.desc_set)(self.desc, attribute, from_ref(value).cast(), size_of::<T>()) };
        expect("cublasLtMatmulDescSetAttribute", status)
    }

    /// Where the bias lies.
    pub fn point(&self, bias: u64) -> Result<()> {
        self.set(DESC_BIAS_POINTER, &bias)
    }

    /// Algorithms for operands at least as aligned as those of `p`, with at most `workspace` bytes, the best one first.
    pub fn algorithms(&self, handle: Handle, p: &Product, workspace: usize) -> Result<Vec<Algorithm>> {
        let preference = Preference::new(&self.api, p, workspace)?;
        let mut found = [Heuristic::default(); MOST];
        let mut count = 0;
        // SAFETY: handles of this library, and room for as many results as are asked for.
        let status = unsafe {
            let (desc, out) = (self.desc, self.out);
            let (results, count) = (found.as_mut_ptr(), &raw mut count);
            let (left, right, of) = (self.left, self.right, preference.handle);
            (self.api.heuristic)(handle, desc, left, right, out, out, of, MOST as c_int, results, count)
        };
        if status == NOT_SUPPORTED {
            return Ok(Vec::new());
        }
        expect("cublasLtMatmulAlgoGetHeuristic", status)?;
        let found = found.iter().take(count.max(0) as usize);
        let fit = found.filter(|one| one.state == SUCCESS && one.workspace <= workspace);
        Ok(fit.map(|one| one.algorithm).collect())
    }

    /// Whether an algorithm that was chosen for another shape serves for this one.
    pub fn accepts(&self, handle: Handle, algorithm: &Algorithm, workspace: usize) -> bool {
        let mut result = Heuristic::default();
        // SAFETY: handles of this library, and a pointer to a local.
        let status = unsafe {
            let (desc, left, right, out) = (self.desc, self.left, self.right, self.out);
            (self.api.check)(handle, desc, left, right, out, out, algorithm, &raw mut result)
        };
        status == SUCCESS && result.workspace <= workspace
    }

    /// Starts the product by an algorithm; its status.
    ///
    /// # Safety
    /// `p` is the product of this problem up to its addresses, which hold operands; the workspace has the bytes that the algorithm
    /// was chosen with.
    pub unsafe fn multiply(
        &self,
        handle: Handle,
        p: &Product,
        algorithm: &Algorithm,
        (workspace, bytes): (u64, usize),
        stream: Handle,
    ) -> c_int {
        let beta = if p.accumulate { 1.0f32 } else { 0.0 };
        // SAFETY: the caller's.
        unsafe {
            (self.api.matmul)(
                handle,
                self.desc,
                from_ref(&p.alpha).cast(),
                p.b as *const c_void,
                self.left,
                p.a as *const c_void,
                self.right,
                from_ref(&beta).cast(),
                p.y as *const c_void,
                self.out,
                p.y as *mut c_void,
                self.out,
                algorithm,
                workspace as *mut c_void,
                bytes,
                stream,
            )
        }
    }
}

impl Drop for Problem {
    fn drop(&mut self) {
        let api = &self.api;
        // SAFETY: made by `new` and destroyed once.
        unsafe {
            for layout in [self.left, self.right, self.out] {
                if !layout.is_null() {
                    (api.layout_destroy)(layout);
                }
            }
            if !self.desc.is_null() {
                (api.desc_destroy)(self.desc);
            }
        }
    }
}

/// What algorithms are chosen by besides the problem.
struct Preference<'a> {
    api: &'a Api,
    handle: Handle,
}

impl<'a> Preference<'a> {
    fn new(api: &'a Api, p: &Product, workspace: usize) -> Result<Self> {
        let mut this = Self { api, handle: null_mut() };
        // SAFETY: a pointer to a field.
        let status = unsafe { (api.preference_create)(&raw mut this.handle) };
        expect("cublasLtMatmulPreferenceCreate", status)?;
        this.set(PREFERENCE_WORKSPACE, &(workspace as u64))?;
        for (attribute, address) in (PREFERENCE_ALIGNMENT_A..).zip([p.b, p.a, p.y, p.y]) {
            this.set(attribute, &alignment(address))?;
        }
        Ok(this)
    }

    fn set<T>(&self, attribute: c_int, value: &T) -> Result<()> {
        // SAFETY: an attribute of the size of T.
        let status = unsafe {
            (self.api.preference_set)(self.handle, attribute, from_ref(value).cast(), size_of::<T>())
        };
        expect("cublasLtMatmulPreferenceSetAttribute", status)
    }
}

impl Drop for Preference<'_> {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: made by `new` and destroyed once.
            unsafe { (self.api.preference_destroy)(self.handle) };
        }
    }
}

#[cfg(test)]
mod tests;
