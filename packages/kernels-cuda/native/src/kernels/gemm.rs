//! Matrix products, by the library of the device.

use ift_kernel_abi::{FloatDType, size};
use napi_derive::napi;

use crate::device::address;
use crate::driver::Product;
use crate::launch::Context;
use crate::node::{Failure, kernel};

/// y [m, n] = alpha · op(a) · op(b) (+ y) (+ bias [n] on every row); a [m, k] ([k, m] when transA), b [k, n] ([n, k]
/// when transB). With `plus` another product of its own depth and factor is added, laid out like the first.
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
        let first = Product {
            m,
            n,
            k,
            trans_a,
            trans_b,
            alpha: alpha as f32,
            accumulate,
            dtype,
            out_dtype,
            y: address(args.output("y", y, &[m, n], out_dtype)?),
            a: address(args.input("a", a, &[m, k], dtype)?),
            b: address(args.input("b", b, &[k, n], dtype)?),
            bias: bias.map(|bias| args.input("bias", bias, &[n], dtype)).transpose()?.map_or(0, address),
        };
        let plus = match (plus_a, plus_b, plus_k, plus_alpha) {
            (Some(a), Some(b), Some(k), Some(alpha)) => {
                let k = size("plus.k", k)?;
                Some(Product {
                    k,
                    alpha: alpha as f32,
                    a: address(args.input("plus.a", a, &[m, k], dtype)?),
                    b: address(args.input("plus.b", b, &[k, n], dtype)?),
                    ..first
                })
            }
            _ => None,
        };
        Ok(move |context: &Context| {
            let driver = context.driver();
            // The small product first: it is what is rounded between the two.
            if let Some(plus) = plus {
                driver.gemm(&Product { bias: 0, ..plus })?;
                return driver.gemm(&Product { accumulate: true, ..first });
            }
            driver.gemm(&first)
        })
    })
}
