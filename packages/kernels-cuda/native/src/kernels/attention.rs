//! Attention: attention_forward.cu, attention_backward.cu, attention_paged.cu on tensor cores, attention_general.cu for
//! f32 and what tensor cores do not take. The bounds of sequences are device data: the kernels check them.

mod call;

use ift_kernel_abi::{Code, DType, Error, Result, product, size};
use napi_derive::napi;

use crate::device::{Checked, address};
use crate::launch::Context;
use crate::node::{Failure, kernel};
use crate::plan::attention::{General, Shape, Tensor, combine, splits};
use crate::plan::geometry::narrow;
use call::{AttentionArgs, AttentionShape, Call, launch};

/// Operands shared by the packed kernels.
struct Packed {
    shape: Shape,
    call: AttentionArgs,
    rows_q: usize,
    rows_k: usize,
}

impl Packed {
    fn of(
        args: &Checked<'_>,
        p: &AttentionShape,
        cu_q: u32,
        cu_k: u32,
        rows_q: f64,
        rows_k: f64,
        q: u32,
        k: u32,
        v: u32,
    ) -> Result<Self> {
        let Call { shape, args: call } = Call::of(args, p)?;
        let (rows_q, rows_k) = (size("rowsQ", rows_q)?, size("rowsK", rows_k)?);
        let keys = [rows_k, shape.kv_heads, shape.head_dim];
        let call = AttentionArgs {
            cu_q: address(args.input("cuQ", cu_q, &[shape.segments + 1], DType::I32)?),
            cu_k: address(args.input("cuK", cu_k, &[shape.segments + 1], DType::I32)?),
            q: address(args.input("q", q, &[rows_q, shape.heads, shape.head_dim], shape.dtype)?),
            k: address(args.input("k", k, &keys, shape.dtype)?),
            v: address(args.input("v", v, &keys, shape.dtype)?),
            rows_q: narrow("rowsQ", rows_q)?,
            rows_k: narrow("rowsK", rows_k)?,
            ..call
        };
        Ok(Self { shape, call, rows_q, rows_k })
    }
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
        let Packed { shape, call, rows_q, .. } = Packed::of(args, &p, cu_q, cu_k, rows_q, rows_k, q, k, v)?;
        let queries = [rows_q, shape.heads, shape.head_dim];
        let call = AttentionArgs {
            out: address(args.output("out", out, &queries, shape.dtype)?),
            lse: address(args.output("lse", lse, &queries[..2], DType::F32)?),
            ..call
        };
        let plan = if shape.tensor_cores(&[call.q, call.k, call.v, call.out]) {
            Tensor::of(shape.head_dim).forward(&shape, rows_q, false)?
        } else {
            General::of(shape.head_dim).plan("forward", &shape, rows_q, shape.heads, 3, 1)?
        };
        Ok(move |context: &Context| {
            launch(context, &plan, &AttentionArgs { error: context.error_flag(), ..call })
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
        let Packed { shape, call, rows_q, rows_k } =
            Packed::of(args, &p, cu_q, cu_k, rows_q, rows_k, q, k, v)?;
        let queries = [rows_q, shape.heads, shape.head_dim];
        let keys = [rows_k, shape.kv_heads, shape.head_dim];
        let call = AttentionArgs {
            dq: address(args.output("dq", dq, &queries, shape.dtype)?),
            dk: address(args.output("dk", dk, &keys, shape.dtype)?),
            dv: address(args.output("dv", dv, &keys, shape.dtype)?),
            dout: address(args.input("dout", dout, &queries, shape.dtype)?),
            out: address(args.input("out", out, &queries, shape.dtype)?),
            lse: address(args.input("lse", lse, &queries[..2], DType::F32)?),
            ..call
        };
        let all = [call.q, call.k, call.v, call.out, call.dout, call.dq, call.dk, call.dv];
        let (first, second) = if shape.tensor_cores(&all) {
            let tensor = Tensor::of(shape.head_dim);
            (tensor.dq(&shape, rows_q)?, tensor.dkv(&shape, rows_k)?)
        } else {
            let general = General::of(shape.head_dim);
            let dq = general.plan("dq", &shape, rows_q, shape.heads, 4, 1)?;
            (dq, general.plan("dkv", &shape, rows_k, shape.kv_heads, 4, 2)?)
        };
        let scratch = product(&[rows_q, shape.heads, 4])?;
        let delta = address(args.scratch(scratch)?);
        Ok(move |context: &Context| {
            let call = AttentionArgs { delta, error: context.error_flag(), ..call };
            launch(context, &first, &call)?;
            launch(context, &second, &call)
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
        let Call { shape, args: call } = Call::of(args, &p)?;
        let rows_q = size("rowsQ", rows_q)?;
        let (max_pages, page_size) = (size("maxPages", max_pages)?, size("pageSize", page_size)?);
        let pages = size("pages", pages)?;
        if page_size == 0 {
            return Err(Error::new(Code::Argument, "pageSize is 0"));
        }
        let table_size = product(&[shape.segments, max_pages])?;
        let queries = [rows_q, shape.heads, shape.head_dim];
        let pool = [pages, page_size, shape.kv_heads, shape.head_dim];
        let call = AttentionArgs {
            out: address(args.output("out", out, &queries, shape.dtype)?),
            q: address(args.input("q", q, &queries, shape.dtype)?),
            k: address(args.input("kPages", k_pages, &pool, shape.dtype)?),
            v: address(args.input("vPages", v_pages, &pool, shape.dtype)?),
            cu_q: address(args.input("cuQ", cu_q, &[shape.segments + 1], DType::I32)?),
            kv_lengths: address(args.input("kvLengths", kv_lengths, &[shape.segments], DType::I32)?),
            page_table: address(args.input("pageTable", page_table, &[table_size], DType::I32)?),
            rows_q: narrow("rowsQ", rows_q)?,
            max_pages: narrow("maxPages", max_pages)?,
            page_size: narrow("pageSize", page_size)?,
            pages: narrow("pages", pages)?,
            ..call
        };
        let dim = shape.head_dim;
        let tensor = shape.tensor_cores(&[call.q, call.k, call.v, call.out]).then(|| Tensor::of(dim));
        // A few queries of a sequence are decoded; more are a prompt.
        let few = rows_q <= 4 * shape.segments;
        let splits = match &tensor {
            Some(_) if few => splits(shape.segments, shape.kv_heads, max_pages.saturating_mul(page_size)),
            _ => 1,
        };
        let call = AttentionArgs { splits: splits as i32, ..call };
        let plan = match &tensor {
            Some(tensor) if few => tensor.decode(&shape, rows_q, splits)?,
            Some(tensor) => tensor.forward(&shape, rows_q, true)?,
            None => General::of(dim).plan("paged", &shape, rows_q, shape.heads, 3, 1)?,
        };
        let rows = product(&[rows_q, shape.heads])?;
        let combine = combine(shape.dtype, rows)?;
        let partial = product(&[splits, rows, dim, 4])?;
        let sums = product(&[splits, rows, 8])?;
        // The sums come first: their pairs are read as one.
        let partial_sums = if splits == 1 { 0 } else { address(args.scratch(sums + partial)?) };
        Ok(move |context: &Context| {
            let partial = partial_sums + sums as u64;
            let call = AttentionArgs { error: context.error_flag(), partial_sums, partial, ..call };
            launch(context, &plan, &call)?;
            if splits == 1 { Ok(()) } else { launch(context, &combine, &call) }
        })
    })
}
