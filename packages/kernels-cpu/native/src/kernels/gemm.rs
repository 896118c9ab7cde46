//! Matrix products: the checks in front of [`crate::gemm`].

use ift_kernel_abi::{Code, Error, FloatDType, Gemm, Result};
use napi_derive::napi;

use crate::device::Args;
use crate::gemm::{GemmParams, Plus, invariant};
use crate::memory::Input;
use crate::node::{Failure, kernel};
use crate::quantized::int8::{self, micro::Micro8};
use crate::quantized::{Int8, Matrix, Parts};
use crate::queue::Context;

/// `product` as [`Gemm::from_numbers`] reads it.
#[napi]
pub fn gemm(device: u32, product: &[f64]) -> Option<Failure> {
    kernel(device, "gemm", |args| {
        let Gemm { y, a, b, scales, bias, m, n, k, trans_a, trans_b, alpha, accumulate, dtype, out_dtype } =
            Gemm::from_numbers(product)?;
        let y = args.output("y", y, &[m, n], out_dtype)?;
        let a = args.input("a", a, &[m, k], dtype)?;
        if scales.is_some() && trans_a {
            return Err(Error::new(Code::Argument, "transA expected false for an int8 matrix"));
        }
        let b = Weight::of(args, "b", (b, scales), if trans_b { [n, k] } else { [k, n] }, dtype)?;
        let bias = bias.map(|bias| args.input("bias", bias, &[n], dtype)).transpose()?;
        let p = GemmParams { m, n, k, trans_a, trans_b, alpha, accumulate, dtype, out_dtype };
        Ok(move |context: &Context| {
            // SAFETY: the operands were checked for the product, and y overlaps none of them.
            unsafe { run(context, y.of(), a.of(), b, bias, &p, None) };
            Ok(())
        })
    })
}

/// The right side of a product: numbers, or the codes of an int8 matrix and their scales.
#[derive(Clone, Copy)]
pub enum Weight {
    Plain(*const u8),
    Int8(Int8),
}

// SAFETY: buffers that are alive for the kernel, and only read.
unsafe impl Send for Weight {}
// SAFETY: as above.
unsafe impl Sync for Weight {}

impl Weight {
    /// Checks a matrix [rows, cols] of `dtype`, or of codes where there are scales.
    pub fn of(
        args: &Args<'_>,
        name: &'static str,
        (values, scales): (u32, Option<u32>),
        [rows, cols]: [usize; 2],
        dtype: FloatDType,
    ) -> Result<Self> {
        if scales.is_none() {
            return Ok(Self::Plain(args.input(name, values, &[rows, cols], dtype)?.of()));
        }
        match Matrix::of(args, &Parts { codes: values, scales, groups: None, format: 1, rows, cols }, false)?
        {
            Matrix::Int8(w) => Ok(Self::Int8(w)),
            Matrix::Nf4(_) | Matrix::Gguf(_) => {
                Err(Error::new(Code::Argument, "an int8 matrix was expected"))
            }
        }
    }
}

/// Runs a product and says which one to the profile; `plus` are the operands, the depth and the factor of a second one.
///
/// # Safety
/// The operands hold the elements that `p` and `plus` name, for the kernel that runs on `context`; y overlaps no other.
pub unsafe fn run(
    context: &Context,
    y: *mut u8,
    a: *const u8,
    weight: Weight,
    bias: Option<Input>,
    p: &GemmParams,
    plus: Option<Plus>,
) {
    let &GemmParams { m, n, k, trans_a, trans_b, accumulate, dtype, out_dtype, .. } = p;
    context.profile.detail(|| {
        let turned = |trans| if trans { 't' } else { 'n' };
        let (a, b, add) = (turned(trans_a), turned(trans_b), if accumulate { "+" } else { "" });
        let more = plus.map_or_else(String::new, |plus| format!("+{}", plus.k));
        let int8 = if matches!(weight, Weight::Int8(_)) { " int8" } else { "" };
        format!("{m}x{n}x{k}{more} {a}{b}{int8} {} -> {add}{}", dtype.name(), out_dtype.name())
    });
    let bias = bias.map_or(std::ptr::null(), Input::of);
    let (pool, isa) = (&context.pool, context.isa);
    let b = match weight {
        Weight::Plain(b) => b,
        Weight::Int8(w) => {
            // SAFETY: the caller's operands; the context's instruction set was detected, and with it the kernel.
            unsafe { int8::multiply(pool, isa, Micro8::of(isa), y, a, &w, bias, p, plus.as_ref()) };
            return;
        }
    };
    // SAFETY: the caller's operands, and the context's instruction set was detected.
    unsafe {
        match plus {
            _ if context.invariant_rows => invariant::gemm_plus(pool, isa, y, a, b, bias, p, plus.as_ref()),
            None => crate::gemm::gemm(pool, isa, y, a, b, bias, p),
            Some(plus) => crate::gemm::gemm_plus(pool, isa, y, a, b, bias, p, &plus),
        }
    }
}
