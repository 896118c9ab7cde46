//! Attention: the checks in front of [`crate::attention`], of lengths when a call comes in and of the sequences'
//! bounds, which are device data, when it runs.

use ift_kernel_abi::{Code, DType, Error, FloatDType, Heads, Result, product, size};
use napi_derive::napi;

use crate::attention::{AttentionParams, Mask, PagedParams, backward, forward, paged};
use crate::device::Args;
use crate::memory::Input;
use crate::node::{Failure, kernel};
use crate::queue::Context;

/// `AttentionMask` and the heads, as numbers.
struct AttentionShape {
    segments: f64,
    heads: f64,
    kv_heads: f64,
    head_dim: f64,
    scale: f64,
    dtype: u32,
    causal: bool,
    visible_prefix: Option<u32>,
    alibi_slopes: Option<u32>,
}

#[derive(Clone, Copy)]
struct Shape {
    segments: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    scale: f32,
    dtype: FloatDType,
    causal: bool,
    visible_prefix: Option<Input>,
    alibi_slopes: Option<Input>,
}

impl Shape {
    fn of(args: &Args<'_>, p: &AttentionShape) -> Result<Self> {
        let segments = size("segments", p.segments)?;
        let Heads { heads, kv_heads, head_dim } = Heads::from_numbers(p.heads, p.kv_heads, p.head_dim)?;
        let prefix = |id| args.input("visiblePrefix", id, &[segments], DType::I32);
        let slopes = |id| args.input("alibiSlopes", id, &[heads], DType::F32);
        Ok(Self {
            segments,
            heads,
            kv_heads,
            head_dim,
            scale: p.scale as f32,
            dtype: FloatDType::from_code(p.dtype)?,
            causal: p.causal,
            visible_prefix: p.visible_prefix.map(prefix).transpose()?,
            alibi_slopes: p.alibi_slopes.map(slopes).transpose()?,
        })
    }

    fn mask<'a>(&self, context: &'a Context) -> Mask<'a> {
        Mask {
            causal: self.causal,
            visible_prefix: self.visible_prefix.map(|prefix| prefix.slice(context)),
            alibi_slopes: self.alibi_slopes.map(|slopes| slopes.slice(context)),
        }
    }
}

/// The bounds of sequences, which must ascend from 0 to the rows of their tensor.
fn bounds<'a>(name: &str, cu: &'a [i32], rows: usize) -> Result<&'a [i32]> {
    let ends = cu.first() == Some(&0) && cu.last().is_some_and(|last| usize::try_from(*last) == Ok(rows));
    if ends && cu.is_sorted() {
        Ok(cu)
    } else {
        let message = format!("{name} is {}, expected to ascend from 0 to {rows}", excerpt(cu));
        Err(Error::new(Code::IndexRange, message))
    }
}

fn excerpt(values: &[i32]) -> String {
    let dots = if values.len() > 8 { ", …" } else { "" };
    let values: Vec<_> = values.iter().take(8).map(i32::to_string).collect();
    format!("[{}{dots}]", values.join(", "))
}

/// Operands shared by the packed kernels.
#[derive(Clone, Copy)]
struct Packed {
    shape: Shape,
    cu_q: Input,
    cu_k: Input,
    rows_q: usize,
    rows_k: usize,
    q: Input,
    k: Input,
    v: Input,
}

impl Packed {
    fn of(
        args: &Args<'_>,
        p: &AttentionShape,
        cu_q: u32,
        cu_k: u32,
        rows_q: f64,
        rows_k: f64,
        q: u32,
        k: u32,
        v: u32,
    ) -> Result<Self> {
        let shape = Shape::of(args, p)?;
        let (rows_q, rows_k) = (size("rowsQ", rows_q)?, size("rowsK", rows_k)?);
        let keys = [rows_k, shape.kv_heads, shape.head_dim];
        Ok(Self {
            cu_q: args.input("cuQ", cu_q, &[shape.segments + 1], DType::I32)?,
            cu_k: args.input("cuK", cu_k, &[shape.segments + 1], DType::I32)?,
            q: args.input("q", q, &[rows_q, shape.heads, shape.head_dim], shape.dtype)?,
            k: args.input("k", k, &keys, shape.dtype)?,
            v: args.input("v", v, &keys, shape.dtype)?,
            rows_q,
            rows_k,
            shape,
        })
    }

    fn params<'a>(&self, context: &'a Context) -> Result<AttentionParams<'a>> {
        let Self { shape, cu_q, cu_k, rows_q, rows_k, .. } = self;
        Ok(AttentionParams {
            cu_q: bounds("cuQ", cu_q.slice(context), *rows_q)?,
            cu_k: bounds("cuK", cu_k.slice(context), *rows_k)?,
            heads: shape.heads,
            kv_heads: shape.kv_heads,
            head_dim: shape.head_dim,
            scale: shape.scale,
            dtype: shape.dtype,
            mask: shape.mask(context),
        })
    }
}

/// What the pages of a paged call must hold: lengths within the table and page numbers within the pool.
fn check_pages(
    kv_lengths: &[i32],
    table: &[i32],
    max_pages: usize,
    page_size: usize,
    pages: usize,
) -> Result<()> {
    for (segment, length) in kv_lengths.iter().enumerate() {
        let used = usize::try_from(*length).ok().map(|length| length.div_ceil(page_size));
        let Some(used) = used.filter(|used| *used <= max_pages) else {
            let message =
                format!("kvLengths[{segment}] is {length}, {max_pages} pages of {page_size} hold less");
            return Err(Error::new(Code::IndexRange, message));
        };
        let row = &table[segment * max_pages..][..used];
        let outside = |page: &i32| usize::try_from(*page).is_ok_and(|page| page < pages);
        if let Some(at) = row.iter().position(|page| !outside(page)) {
            let message = format!("pageTable[{segment}, {at}] is {}, the pool has {pages} pages", row[at]);
            return Err(Error::new(Code::IndexRange, message));
        }
    }
    Ok(())
}

/// out, q [rowsQ, heads, headDim]; k, v [rowsK, kvHeads, headDim]; lse f32 [rowsQ, heads].
#[napi]
pub fn attention(
    device: u32,
    out: u32,
    lse: u32,
    q: u32,
    k: u32,
    v: u32,
    cu_q: u32,
    cu_k: u32,
    rows_q: f64,
    rows_k: f64,
    segments: f64,
    heads: f64,
    kv_heads: f64,
    head_dim: f64,
    scale: f64,
    dtype: u32,
    causal: bool,
    visible_prefix: Option<u32>,
    alibi_slopes: Option<u32>,
) -> Option<Failure> {
    let p = AttentionShape {
        segments,
        heads,
        kv_heads,
        head_dim,
        scale,
        dtype,
        causal,
        visible_prefix,
        alibi_slopes,
    };
    kernel(device, "attention", |args| {
        let packed = Packed::of(args, &p, cu_q, cu_k, rows_q, rows_k, q, k, v)?;
        let Packed { shape, rows_q, q, k, v, .. } = packed;
        let out = args.output("out", out, &[rows_q, shape.heads, shape.head_dim], shape.dtype)?;
        let lse = args.output("lse", lse, &[rows_q, shape.heads], DType::F32)?;
        Ok(move |context: &Context| {
            let p = packed.params(context)?;
            // SAFETY: the tensors were checked for the shapes of `p`, whose bounds of sequences `params` has checked, and no output
            // overlaps another operand; the context's instruction set was detected.
            unsafe {
                forward(&context.pool, context.isa, out.of(), lse.of(), q.of(), k.of(), v.of(), &p);
            }
            Ok(())
        })
    })
}

/// dq, dout, out like q; dk, dv like k; lse as `attention` left it.
#[napi]
pub fn attention_backward(
    device: u32,
    dq: u32,
    dk: u32,
    dv: u32,
    dout: u32,
    out: u32,
    lse: u32,
    q: u32,
    k: u32,
    v: u32,
    cu_q: u32,
    cu_k: u32,
    rows_q: f64,
    rows_k: f64,
    segments: f64,
    heads: f64,
    kv_heads: f64,
    head_dim: f64,
    scale: f64,
    dtype: u32,
    causal: bool,
    visible_prefix: Option<u32>,
    alibi_slopes: Option<u32>,
) -> Option<Failure> {
    let p = AttentionShape {
        segments,
        heads,
        kv_heads,
        head_dim,
        scale,
        dtype,
        causal,
        visible_prefix,
        alibi_slopes,
    };
    kernel(device, "attentionBackward", |args| {
        let packed = Packed::of(args, &p, cu_q, cu_k, rows_q, rows_k, q, k, v)?;
        let Packed { shape, rows_q, rows_k, q, k, v, .. } = packed;
        let queries = [rows_q, shape.heads, shape.head_dim];
        let keys = [rows_k, shape.kv_heads, shape.head_dim];
        let dq = args.output("dq", dq, &queries, shape.dtype)?;
        let dk = args.output("dk", dk, &keys, shape.dtype)?;
        let dv = args.output("dv", dv, &keys, shape.dtype)?;
        let dout = args.input("dout", dout, &queries, shape.dtype)?;
        let out = args.input("out", out, &queries, shape.dtype)?;
        let lse = args.input("lse", lse, &[rows_q, shape.heads], DType::F32)?;
        Ok(move |context: &Context| {
            let p = packed.params(context)?;
            // SAFETY: as for `attention`.
            unsafe {
                let (dq, dk, dv) = (dq.of(), dk.of(), dv.of());
                let (dout, out, lse) = (dout.of(), out.of(), lse.of());
                let (pool, isa) = (&context.pool, context.isa);
                backward(pool, isa, dq, dk, dv, dout, out, lse, q.of(), k.of(), v.of(), &p);
            }
            Ok(())
        })
    })
}

/// out, q [rowsQ, heads, headDim]; kPages, vPages [pages, pageSize, kvHeads, headDim]; kvLengths i32 [segments];
/// pageTable i32 [segments, maxPages].
#[napi]
pub fn attention_paged(
    device: u32,
    out: u32,
    q: u32,
    k_pages: u32,
    v_pages: u32,
    cu_q: u32,
    rows_q: f64,
    kv_lengths: u32,
    page_table: u32,
    max_pages: f64,
    page_size: f64,
    pages: f64,
    segments: f64,
    heads: f64,
    kv_heads: f64,
    head_dim: f64,
    scale: f64,
    dtype: u32,
    causal: bool,
    visible_prefix: Option<u32>,
    alibi_slopes: Option<u32>,
) -> Option<Failure> {
    let p = AttentionShape {
        segments,
        heads,
        kv_heads,
        head_dim,
        scale,
        dtype,
        causal,
        visible_prefix,
        alibi_slopes,
    };
    kernel(device, "attentionPaged", |args| {
        let shape = Shape::of(args, &p)?;
        let rows_q = size("rowsQ", rows_q)?;
        let (max_pages, page_size) = (size("maxPages", max_pages)?, size("pageSize", page_size)?);
        let pages = size("pages", pages)?;
        if page_size == 0 {
            return Err(Error::new(Code::Argument, "pageSize is 0"));
        }
        let table_size = product(&[shape.segments, max_pages])?;
        let queries = [rows_q, shape.heads, shape.head_dim];
        let pool_shape = [pages, page_size, shape.kv_heads, shape.head_dim];
        let out = args.output("out", out, &queries, shape.dtype)?;
        let q = args.input("q", q, &queries, shape.dtype)?;
        let k_pages = args.input("kPages", k_pages, &pool_shape, shape.dtype)?;
        let v_pages = args.input("vPages", v_pages, &pool_shape, shape.dtype)?;
        let cu_q = args.input("cuQ", cu_q, &[shape.segments + 1], DType::I32)?;
        let kv_lengths = args.input("kvLengths", kv_lengths, &[shape.segments], DType::I32)?;
        let page_table = args.input("pageTable", page_table, &[table_size], DType::I32)?;
        Ok(move |context: &Context| {
            let p = PagedParams {
                cu_q: bounds("cuQ", cu_q.slice(context), rows_q)?,
                kv_lengths: kv_lengths.slice(context),
                page_table: page_table.slice(context),
                max_pages,
                page_size,
                heads: shape.heads,
                kv_heads: shape.kv_heads,
                head_dim: shape.head_dim,
                scale: shape.scale,
                dtype: shape.dtype,
                mask: shape.mask(context),
            };
            check_pages(p.kv_lengths, p.page_table, max_pages, page_size, pages)?;
            // SAFETY: the tensors were checked for the shapes of `p`, and so were the bounds of sequences and the pages, to which
            // nothing writes meanwhile; out overlaps no other operand. The context's instruction set was detected.
            unsafe {
                paged(
                    &context.pool,
                    context.isa,
                    context.invariant_rows,
                    out.of(),
                    q.of(),
                    k_pages.of(),
                    v_pages.of(),
                    &p,
                );
            }
            Ok(())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_must_ascend_and_cover() {
        assert!(bounds("cuQ", &[0, 3, 3, 7], 7).is_ok());
        assert!(bounds("cuQ", &[0], 0).is_ok());
        for bad in [&[0, 5, 3, 7][..], &[1, 7], &[0, 8], &[0, -1], &[]] {
            assert_eq!(bounds("cuQ", bad, 7).unwrap_err().code, Code::IndexRange);
        }
        let message = bounds("cuQ", &[0, 9], 7).unwrap_err().message;
        assert_eq!(message, "cuQ is [0, 9], expected to ascend from 0 to 7");
    }

    #[test]
    fn pages_must_exist() {
        let table = [0, 1, 4, -1];
        assert!(check_pages(&[20, 16], &table, 2, 16, 5).is_ok());
        assert!(check_pages(&[33, 0], &table, 2, 16, 5).is_err());
        assert!(check_pages(&[20, 17], &table, 2, 16, 5).is_err());
        assert!(check_pages(&[20, 16], &table, 2, 16, 4).is_err());
        assert!(check_pages(&[-1, 16], &table, 2, 16, 5).is_err());
    }
}
