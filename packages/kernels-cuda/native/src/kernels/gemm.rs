//! Matrix products, by the library of the device.

use ift_kernel_abi::Gemm;
use napi_derive::napi;

use super::product::{AnyProduct, refuse_int8};
use crate::device::address;
use crate::driver::Product;
use crate::launch::Context;
use crate::node::{Failure, kernel};

/// `numbers` as [`Gemm::from_numbers`] reads it.
#[napi]
pub fn gemm(device: u32, numbers: &[f64]) -> Option<Failure> {
    kernel(device, "gemm", |args| {
        let Gemm { y, a, b, scales, bias, m, n, k, trans_a, trans_b, alpha, accumulate, dtype, out_dtype } =
            Gemm::from_numbers(numbers)?;
        refuse_int8(scales)?;
        let product = Product {
            m,
            n,
            k,
            trans_a,
            trans_b,
            alpha,
            accumulate,
            dtype,
            out_dtype,
            y: address(args.output("y", y, &[m, n], out_dtype)?),
            a: address(args.input("a", a, &[m, k], dtype)?),
            b: address(args.input("b", b, &[k, n], dtype)?),
            bias: bias.map(|bias| args.input("bias", bias, &[n], dtype)).transpose()?.map_or(0, address),
        };
        let product = AnyProduct::of(args, product)?;
        Ok(move |context: &Context| product.run(context))
    })
}
