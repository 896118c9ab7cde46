//! A linear layer with a low-rank addition (Hu et al. 2021, arXiv:2106.09685) and its gradients, each one call.

use ift_kernel_abi::{Gradient, LowRank, LowRankGradients, LowRankShape, Result, product as elements};
use napi_derive::napi;

use super::product::{AnyProduct, refuse_int8};
use crate::device::{Checked, address};
use crate::driver::Product;
use crate::launch::Context;
use crate::node::{Failure, kernel};

fn in_order(args: &Checked<'_>, products: Vec<Product>) -> Result<Vec<AnyProduct>> {
    products.into_iter().map(|product| AnyProduct::of(args, product)).collect()
}

/// `product` as [`LowRank::from_numbers`] reads it.
#[napi]
pub fn low_rank(device: u32, product: &[f64]) -> Option<Failure> {
    kernel(device, "lowRank", |args| {
        let p = LowRank::from_numbers(product)?;
        refuse_int8(p.scales)?;
        let LowRankShape { n, k, m, r, scale, dtype } = p.shape;
        let y = address(args.output("y", p.y, &[n, m], p.out_dtype)?);
        let low = address(args.output("low", p.low, &[n, r], dtype)?);
        let bias = p.bias.map(|bias| args.input("bias", bias, &[m], dtype)).transpose()?;
        let down = Product {
            m: n,
            n: r,
            k,
            trans_a: false,
            trans_b: true,
            alpha: 1.0,
            accumulate: false,
            dtype,
            out_dtype: dtype,
            y: low,
            a: address(args.input("z", p.z, &[n, k], dtype)?),
            b: address(args.input("a", p.a, &[r, k], dtype)?),
            bias: 0,
        };
        // The small product first: it is what is rounded between the two.
        let up = Product {
            n: m,
            k: r,
            alpha: scale,
            accumulate: p.accumulate,
            out_dtype: p.out_dtype,
            y,
            a: low,
            b: address(args.input("b", p.b, &[m, r], dtype)?),
            ..down
        };
        let whole = Product {
            k,
            alpha: 1.0,
            accumulate: true,
            a: address(args.input("x", p.x, &[n, k], dtype)?),
            b: address(args.input("w", p.w, &[m, k], dtype)?),
            bias: bias.map_or(0, address),
            ..up
        };
        let products = in_order(args, vec![down, up, whole])?;
        Ok(move |context: &Context| products.iter().try_for_each(|product| product.run(context)))
    })
}

/// `gradients` as [`LowRankGradients::from_numbers`] reads it.
#[napi]
pub fn low_rank_backward(device: u32, gradients: &[f64]) -> Option<Failure> {
    kernel(device, "lowRankBackward", |args| {
        let p = LowRankGradients::from_numbers(gradients)?;
        refuse_int8(p.scales)?;
        let LowRankShape { n, k, m, r, scale, dtype } = p.shape;
        let e = address(args.scratch(elements(&[n, r, dtype.size()])?)?);
        let dy = address(args.input("dy", p.dy, &[n, m], dtype)?);
        let low = address(args.input("low", p.low, &[n, r], dtype)?);
        // 0 is a handle that does not exist and is refused as such, where z or w is needed and missing.
        let input = |name: &'static str, id: Option<u32>, shape: &[usize]| {
            Ok::<_, ift_kernel_abi::Error>(address(args.input(name, id.unwrap_or(0), shape, dtype)?))
        };
        let a = address(args.input("a", p.a, &[r, k], dtype)?);
        let b = address(args.input("b", p.b, &[m, r], dtype)?);
        let down = Product {
            m: n,
            n: r,
            k: m,
            trans_a: false,
            trans_b: false,
            alpha: scale,
            accumulate: false,
            dtype,
            out_dtype: dtype,
            y: e,
            a: dy,
            b,
            bias: 0,
        };
        let to = |name: &'static str, gradient: Gradient, like: Product| {
            let y = address(args.output(name, gradient.at, &[like.m, like.n], gradient.dtype)?);
            Ok(Product { y, accumulate: gradient.accumulate, out_dtype: gradient.dtype, ..like })
        };
        let mut products = vec![down];
        if let Some(gradient) = p.db {
            products.push(to("db", gradient, Product { m, n: r, k: n, trans_a: true, b: low, ..down })?);
        }
        if let Some(gradient) = p.da {
            let z = input("z", p.z, &[n, k])?;
            let like = Product { m: r, n: k, k: n, trans_a: true, alpha: 1.0, a: e, b: z, ..down };
            products.push(to("da", gradient, like)?);
        }
        let back = Product { n: k, k: r, alpha: 1.0, a: e, b: a, ..down };
        if let Some(gradient) = p.dz {
            products.push(to("dz", gradient, back)?);
        }
        if let Some(gradient) = p.dx {
            let w = input("w", p.w, &[m, k])?;
            let whole = to("dx", gradient, Product { n: k, k: m, alpha: 1.0, b: w, ..down })?;
            // The small product first: it is what is rounded between the two.
            if p.joined {
                products.push(Product {
                    y: whole.y,
                    accumulate: whole.accumulate,
                    out_dtype: whole.out_dtype,
                    ..back
                });
            }
            products.push(Product { accumulate: gradient.accumulate || p.joined, ..whole });
        }
        let products = in_order(args, products)?;
        Ok(move |context: &Context| products.iter().try_for_each(|product| product.run(context)))
    })
}
