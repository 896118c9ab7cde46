//! Matrix products: the checks in front of [`crate::gemm`].

use ift_kernel_abi::{FloatDType, size};
use napi_derive::napi;

use crate::gemm::{GemmParams, Plus};
use crate::node::{Failure, kernel};
use crate::queue::Context;

/// y [m, n] = alpha · op(a) · op(b) (+ y) (+ bias [n] on every row); a [m, k] ([k, m] when transA), b [k, n] ([n, k]
/// when transB).
#[napi]
pub fn gemm(
    device: u32,
    y: u32,
    a: u32,
    b: u32,
    bias: Option<u32>,
    m: f64,
    n: f64,
    k: f64,
    trans_a: bool,
    trans_b: bool,
    alpha: f64,
    accumulate: bool,
    dtype: u32,
    out_dtype: u32,
    plus_a: Option<u32>,
    plus_b: Option<u32>,
    plus_k: Option<f64>,
    plus_alpha: Option<f64>,
) -> Option<Failure> {
    kernel(device, "gemm", |args| {
        let (m, n, k) = (size("m", m)?, size("n", n)?, size("k", k)?);
        let (dtype, out_dtype) = (FloatDType::from_code(dtype)?, FloatDType::from_code(out_dtype)?);
        let y = args.output("y", y, &[m, n], out_dtype)?;
        let a = args.input("a", a, &[m, k], dtype)?;
        let b = args.input("b", b, &[k, n], dtype)?;
        let bias = bias.map(|bias| args.input("bias", bias, &[n], dtype)).transpose()?;
        let plus = match (plus_a, plus_b, plus_k, plus_alpha) {
            (Some(a), Some(b), Some(k), Some(alpha)) => {
                let k = size("plus.k", k)?;
                let a = args.input("plus.a", a, &[m, k], dtype)?;
                Some((a, args.input("plus.b", b, &[k, n], dtype)?, k, alpha as f32))
            }
            _ => None,
        };
        let p = GemmParams { m, n, k, trans_a, trans_b, alpha: alpha as f32, accumulate, dtype, out_dtype };
        Ok(move |context: &Context| {
            context.profile.detail(|| {
                let turned = |trans| if trans { 't' } else { 'n' };
                let (a, b, add) = (turned(trans_a), turned(trans_b), if accumulate { "+" } else { "" });
                let more = plus.map_or_else(String::new, |(_, _, k, _)| format!("+{k}"));
                format!("{m}x{n}x{k}{more} {a}{b} {} -> {add}{}", dtype.name(), out_dtype.name())
            });
            let bias = bias.map_or(std::ptr::null(), |bias| bias.of::<u8>().cast_const());
            // SAFETY: the lengths were checked, and the context's instruction set was detected.
            unsafe {
                let (pool, isa, y, a, b) = (&context.pool, context.isa, y.of(), a.of(), b.of());
                match plus {
                    None => crate::gemm::gemm(pool, isa, y, a, b, bias, &p),
                    Some((plus_a, plus_b, k, alpha)) => {
                        let plus = Plus { a: plus_a.of(), b: plus_b.of(), k, alpha };
                        crate::gemm::gemm_plus(pool, isa, y, a, b, bias, &p, &plus);
                    }
                }
            };
            Ok(())
        })
    })
}
