//! Matrix products: the checks in front of [`crate::gemm`].

use ift_kernel_abi::Gemm;
use napi_derive::napi;

use crate::gemm::{GemmParams, Plus, invariant};
use crate::memory::Input;
use crate::node::{Failure, kernel};
use crate::queue::Context;

/// `product` as [`Gemm::from_numbers`] reads it.
#[napi]
pub fn gemm(device: u32, product: &[f64]) -> Option<Failure> {
    kernel(device, "gemm", |args| {
        let Gemm { y, a, b, bias, m, n, k, trans_a, trans_b, alpha, accumulate, dtype, out_dtype } =
            Gemm::from_numbers(product)?;
        let y = args.output("y", y, &[m, n], out_dtype)?;
        let a = args.input("a", a, &[m, k], dtype)?;
        let b = args.input("b", b, &[k, n], dtype)?;
        let bias = bias.map(|bias| args.input("bias", bias, &[n], dtype)).transpose()?;
        let p = GemmParams { m, n, k, trans_a, trans_b, alpha, accumulate, dtype, out_dtype };
        Ok(move |context: &Context| {
            // SAFETY: the operands were checked for the product, and y overlaps none of them.
            unsafe { run(context, y.of(), a.of(), b.of(), bias, &p, None) };
            Ok(())
        })
    })
}

/// Runs a product and says which one to the profile; `plus` are the operands, the depth and the factor of a second one.
///
/// # Safety
/// The operands hold the elements that `p` and `plus` name, for the kernel that runs on `context`; y overlaps no other.
pub unsafe fn run(
    context: &Context,
    y: *mut u8,
    a: *const u8,
    b: *const u8,
    bias: Option<Input>,
    p: &GemmParams,
    plus: Option<Plus>,
) {
    let &GemmParams { m, n, k, trans_a, trans_b, accumulate, dtype, out_dtype, .. } = p;
    context.profile.detail(|| {
        let turned = |trans| if trans { 't' } else { 'n' };
        let (a, b, add) = (turned(trans_a), turned(trans_b), if accumulate { "+" } else { "" });
        let more = plus.map_or_else(String::new, |plus| format!("+{}", plus.k));
        format!("{m}x{n}x{k}{more} {a}{b} {} -> {add}{}", dtype.name(), out_dtype.name())
    });
    let bias = bias.map_or(std::ptr::null(), Input::of);
    let (pool, isa) = (&context.pool, context.isa);
    // SAFETY: the caller's operands, and the context's instruction set was detected.
    unsafe {
        match plus {
            _ if context.invariant_rows => invariant::gemm_plus(pool, isa, y, a, b, bias, p, plus.as_ref()),
            None => crate::gemm::gemm(pool, isa, y, a, b, bias, p),
            Some(plus) => crate::gemm::gemm_plus(pool, isa, y, a, b, bias, p, &plus),
        }
    }
}
