//! A linear layer with a low-rank addition (Hu et al. 2021, arXiv:2106.09685) and its gradients, each one call.

use ift_kernel_abi::{Gradient, LowRank, LowRankGradients, LowRankShape};
use napi_derive::napi;

use super::gemm::{Weight, run};
use crate::gemm::{GemmParams, Plus};
use crate::node::{Failure, kernel};
use crate::pool::scratch;
use crate::queue::Context;

/// `product` as [`LowRank::from_numbers`] reads it.
#[napi]
pub fn low_rank(device: u32, product: &[f64]) -> Option<Failure> {
    kernel(device, "lowRank", |args| {
        let p = LowRank::from_numbers(product)?;
        let LowRankShape { n, k, m, r, scale, dtype } = p.shape;
        let y = args.output("y", p.y, &[n, m], p.out_dtype)?;
        let low = args.output("low", p.low, &[n, r], dtype)?;
        let x = args.input("x", p.x, &[n, k], dtype)?;
        let z = args.input("z", p.z, &[n, k], dtype)?;
        let w = Weight::of(args, "w", (p.w, p.scales), [m, k], dtype)?;
        let a = args.input("a", p.a, &[r, k], dtype)?;
        let b = args.input("b", p.b, &[m, r], dtype)?;
        let bias = p.bias.map(|bias| args.input("bias", bias, &[m], dtype)).transpose()?;
        let down = GemmParams {
            m: n,
            n: r,
            k,
            trans_a: false,
            trans_b: true,
            alpha: 1.0,
            accumulate: false,
            dtype,
            out_dtype: dtype,
        };
        let whole = GemmParams { n: m, accumulate: p.accumulate, out_dtype: p.out_dtype, ..down };
        Ok(move |context: &Context| {
            let product = |run: &dyn Fn()| context.profile.time("gemm", run);
            // SAFETY: the operands were checked for the product, and low overlaps none of them.
            product(&|| unsafe { run(context, low.of(), z.of(), Weight::Plain(a.of()), None, &down, None) });
            let plus = Plus { a: low.of(), b: b.of(), k: r, alpha: scale };
            // SAFETY: the operands were checked for both products, and y overlaps none of them.
            product(&|| unsafe { run(context, y.of(), x.of(), w, bias, &whole, Some(plus)) });
            Ok(())
        })
    })
}

/// `gradients` as [`LowRankGradients::from_numbers`] reads it.
#[napi]
pub fn low_rank_backward(device: u32, gradients: &[f64]) -> Option<Failure> {
    kernel(device, "lowRankBackward", |args| {
        let p = LowRankGradients::from_numbers(gradients)?;
        let LowRankShape { n, k, m, r, scale, dtype } = p.shape;
        let output = |name: &'static str, gradient: Option<Gradient>, shape: &[usize]| {
            let checked = |gradient: Gradient| {
                let at = args.output(name, gradient.at, shape, gradient.dtype)?;
                Ok((at, gradient))
            };
            gradient.map(checked).transpose()
        };
        let dx = output("dx", p.dx, &[n, k])?;
        let dz = output("dz", p.dz, &[n, k])?;
        let da = output("da", p.da, &[r, k])?;
        let db = output("db", p.db, &[m, r])?;
        let dy = args.input("dy", p.dy, &[n, m], dtype)?;
        let low = args.input("low", p.low, &[n, r], dtype)?;
        // 0 is a handle that does not exist and is refused as such, where z or w is needed and missing.
        let z = da.map(|_| args.input("z", p.z.unwrap_or(0), &[n, k], dtype)).transpose()?;
        let w = dx.map(|_| Weight::of(args, "w", (p.w.unwrap_or(0), p.scales), [m, k], dtype)).transpose()?;
        let a = args.input("a", p.a, &[r, k], dtype)?;
        let b = args.input("b", p.b, &[m, r], dtype)?;
        let joined = p.joined;
        Ok(move |context: &Context| {
            let mut e = scratch::<u8>(n * r * dtype.size());
            let e = e.as_mut_ptr();
            let product = |run: &dyn Fn()| context.profile.time("gemm", run);
            let nn = |m, n, k, to: &Gradient| GemmParams {
                m,
                n,
                k,
                trans_a: false,
                trans_b: false,
                alpha: 1.0,
                accumulate: to.accumulate,
                dtype,
                out_dtype: to.dtype,
            };
            let tn = |m, n, to: &Gradient| GemmParams { trans_a: true, ..nn(m, n, p.shape.n, to) };
            let scaled = Gradient { at: 0, accumulate: false, dtype };
            // SAFETY: the operands were checked for these products, and the gradients overlap no other; e has room for n rows of r,
            // and is written before it is read.
            unsafe {
                let down = GemmParams { alpha: scale, ..nn(n, r, m, &scaled) };
                product(&|| run(context, e, dy.of(), Weight::Plain(b.of()), None, &down, None));
                if let Some((db, to)) = &db {
                    let p = GemmParams { alpha: scale, ..tn(m, r, to) };
                    product(&|| run(context, db.of(), dy.of(), Weight::Plain(low.of()), None, &p, None));
                }
                if let (Some((da, to)), Some(z)) = (&da, z) {
                    product(&|| run(context, da.of(), e, Weight::Plain(z.of()), None, &tn(r, k, to), None));
                }
                if let Some((dz, to)) = &dz {
                    product(&|| {
                        run(context, dz.of(), e, Weight::Plain(a.of()), None, &nn(n, k, r, to), None)
                    });
                }
                if let (Some((dx, to)), Some(w)) = (&dx, w) {
                    let plus = joined.then_some(Plus { a: e, b: a.of(), k: r, alpha: 1.0 });
                    product(&|| run(context, dx.of(), dy.of(), w, None, &nn(n, k, m, to), plus));
                }
            }
            Ok(())
        })
    })
}
