//! Attention: attention_forward.cu, attention_backward.cu, attention_paged.cu on tensor cores, attention_general.cu for
//! f32 and what tensor cores do not take. The bounds of sequences are device data: the kernels check them.

use ift_kernel_abi::{Code, DType, Error, FloatDType, Result, product, size};
use napi_derive::napi;

use super::geometry::Geometry;
use super::narrow;
use crate::device::{Checked, address};
use crate::launch::{Args, Context};
use crate::node::{Failure, kernel};

const MAX_HEAD_DIM: usize = 256;
const THREADS: u32 = 128;

/// `AttentionArgs` of args/attention.h.
#[derive(Clone, Copy, Default)]
#[repr(C)]
struct AttentionArgs {
    q: u64,
    k: u64,
    v: u64,
    out: u64,
    lse: u64,
    dout: u64,
    delta: u64,
    dq: u64,
    dk: u64,
    dv: u64,
    cu_q: u64,
    cu_k: u64,
    visible_prefix: u64,
    alibi_slopes: u64,
    kv_lengths: u64,
    page_table: u64,
    partial: u64,
    partial_sums: u64,
    error: u64,
    segments: i32,
    rows_q: i32,
    rows_k: i32,
    heads: i32,
    kv_heads: i32,
    head_dim: i32,
    causal: i32,
    max_pages: i32,
    page_size: i32,
    pages: i32,
    splits: i32,
    scale: f32,
}
unsafe impl Args for AttentionArgs {}

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

/// The checked shape, with its part of the arguments filled in.
struct Shape {
    segments: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    dtype: FloatDType,
    call: AttentionArgs,
}

impl Shape {
    fn of(args: &Checked<'_>, p: &AttentionShape) -> Result<Self> {
        let segments = size("segments", p.segments)?;
        let (heads, kv_heads) = (size("heads", p.heads)?, size("kvHeads", p.kv_heads)?);
        let head_dim = size("headDim", p.head_dim)?;
        if heads == 0 || kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            let message = format!("heads is {heads}, expected a multiple of kvHeads {kv_heads}");
            return Err(Error::new(Code::Argument, message));
        }
        if heads > 65_535 {
            return Err(Error::new(Code::Argument, format!("heads is {heads}, expected at most 65535")));
        }
        if head_dim == 0 || head_dim > MAX_HEAD_DIM {
            let message = format!("headDim is {head_dim}, expected 1 to {MAX_HEAD_DIM}");
            return Err(Error::new(Code::Argument, message));
        }
        let prefix = |id| args.input("visiblePrefix", id, &[segments], DType::I32);
        let slopes = |id| args.input("alibiSlopes", id, &[heads], DType::F32);
        let call = AttentionArgs {
            visible_prefix: p.visible_prefix.map(prefix).transpose()?.map_or(0, address),
            alibi_slopes: p.alibi_slopes.map(slopes).transpose()?.map_or(0, address),
            segments: narrow("segments", segments)?,
            heads: heads as i32,
            kv_heads: kv_heads as i32,
            head_dim: head_dim as i32,
            causal: i32::from(p.causal),
            splits: 1,
            scale: p.scale as f32,
            ..AttentionArgs::default()
        };
        let dtype = FloatDType::from_code(p.dtype)?;
        Ok(Self { segments, heads, kv_heads, head_dim, dtype, call })
    }

    /// Whether tensor cores can do it, with everything at `addresses`.
    fn tensor_cores(&self, addresses: &[u64]) -> bool {
        self.dtype != FloatDType::F32
            && self.head_dim.is_multiple_of(8)
            && self.call.scale > 0.0
            && addresses.iter().all(|address| address.is_multiple_of(16))
    }
}

/// What a launch needs besides its arguments.
struct Plan {
    name: String,
    geometry: Geometry,
    shared: usize,
}

impl Plan {
    fn launch(&self, context: &Context, call: &AttentionArgs) -> Result<()> {
        context.launch(&self.name, self.geometry, self.shared, call)
    }
}

/// Tiles of `rows` rows that segments may need at most; none without rows.
fn tiles(rows: usize, segments: usize, tile: usize) -> Result<u32> {
    Ok(if rows == 0 { 0 } else { narrow("rows", rows / tile + segments)? as u32 })
}

/// Tile sizes of the tensor-core kernels: `ForwardShape`, `DqShape`, `DkvShape` and `DecodeShape` of the .cu
/// files.
struct Tensor {
    /// The head dimension that a kernel is compiled for, at least the asked one.
    dim: usize,
}

impl Tensor {
    fn of(head_dim: usize) -> Self {
        let dim = [64, 80, 96, 128, 192].into_iter().find(|dim| head_dim <= *dim).unwrap_or(MAX_HEAD_DIM);
        Self { dim }
    }

    /// Bytes of `rows` rows of a tile.
    fn bytes(&self, rows: usize) -> usize {
        rows * (self.dim + 8) * 2
    }

    fn forward(&self, shape: &Shape, rows_q: usize, paged: bool) -> Result<Plan> {
        let queries = if self.dim <= 128 { 128 } else { 64 };
        let keys = if self.dim <= 64 { 64 } else { 32 };
        let paged = if paged { "paged_" } else { "" };
        Ok(Plan {
            name: format!("ift_attention_forward_{paged}{}_{}", shape.dtype.name(), self.dim),
            geometry: Geometry {
                grid: [tiles(rows_q, shape.segments, queries)?, shape.heads as u32, 1],
                block: [THREADS, 1, 1],
            },
            shared: self.bytes(queries + 2 * keys),
        })
    }

    fn dq(&self, shape: &Shape, rows_q: usize) -> Result<Plan> {
        let queries = 64;
        let keys = match self.dim {
            0..=96 => 64,
            97..=128 => 32,
            _ => 16,
        };
        Ok(Plan {
            name: format!("ift_attention_backward_dq_{}_{}", shape.dtype.name(), self.dim),
            geometry: Geometry {
                grid: [tiles(rows_q, shape.segments, queries)?, shape.heads as u32, 1],
                block: [THREADS, 1, 1],
            },
            shared: self.bytes(2 * queries + 4 * keys),
        })
    }

    fn dkv(&self, shape: &Shape, rows_k: usize) -> Result<Plan> {
        let warps = if self.dim <= 192 { 4 } else { 2 };
        let keys = 16 * warps;
        let queries = match self.dim {
            0..=64 => 64,
            65..=128 => 32,
            _ => 16,
        };
        let columns = if self.dim <= 128 { 1 } else { 2 };
        Ok(Plan {
            name: format!("ift_attention_backward_dkv_{}_{}", shape.dtype.name(), self.dim),
            geometry: Geometry {
                grid: [tiles(rows_k, shape.segments, keys)?, shape.kv_heads as u32, columns],
                block: [32 * warps as u32, 1, 1],
            },
            shared: self.bytes(2 * keys + 4 * queries),
        })
    }

    fn decode(&self, shape: &Shape, rows_q: usize, splits: usize) -> Result<Plan> {
        let rows = product(&[rows_q, shape.heads / shape.kv_heads])?;
        let warps = if self.dim <= 128 { 4 } else { 2 };
        Ok(Plan {
            name: format!("ift_attention_decode_{}_{}", shape.dtype.name(), self.dim),
            geometry: Geometry {
                grid: [tiles(rows, shape.segments, 16)?, shape.kv_heads as u32, splits as u32],
                block: [32 * warps as u32, 1, 1],
            },
            shared: self.bytes((1 + 4 * warps) * 16) + 512,
        })
    }
}

/// Tiles of attention_general.cu: `GeneralShape`.
struct General {
    dim: usize,
    rows: usize,
}

impl General {
    fn of(head_dim: usize) -> Self {
        if head_dim <= 128 { Self { dim: 128, rows: 32 } } else { Self { dim: 256, rows: 16 } }
    }

    fn plan(
        &self,
        kind: &str,
        shape: &Shape,
        rows: usize,
        heads: usize,
        count: usize,
        matrices: usize,
    ) -> Result<Plan> {
        let Self { dim, rows: tile } = self;
        Ok(Plan {
            name: format!("ift_attention_general_{kind}_{}_{dim}", shape.dtype.name()),
            geometry: Geometry {
                grid: [tiles(rows, shape.segments, *tile)?, heads as u32, 1],
                block: [THREADS, 1, 1],
            },
            shared: 4 * (count * tile * (dim + 1) + matrices * tile * (tile + 1)),
        })
    }
}

/// Splits of the keys of a decoding step: enough blocks to fill a device, and enough keys for each to be worth it. The
/// same on every device, so that results are.
fn splits(segments: usize, kv_heads: usize, most_keys: usize) -> usize {
    const BLOCKS: usize = 512;
    const KEYS: usize = 256;
    (BLOCKS / (segments * kv_heads).max(1)).min(most_keys / KEYS).clamp(1, 32)
}

/// Operands shared by the packed kernels.
struct Packed {
    shape: Shape,
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
        let mut shape = Shape::of(args, p)?;
        let (rows_q, rows_k) = (size("rowsQ", rows_q)?, size("rowsK", rows_k)?);
        let keys = [rows_k, shape.kv_heads, shape.head_dim];
        shape.call = AttentionArgs {
            cu_q: address(args.input("cuQ", cu_q, &[shape.segments + 1], DType::I32)?),
            cu_k: address(args.input("cuK", cu_k, &[shape.segments + 1], DType::I32)?),
            q: address(args.input("q", q, &[rows_q, shape.heads, shape.head_dim], shape.dtype)?),
            k: address(args.input("k", k, &keys, shape.dtype)?),
            v: address(args.input("v", v, &keys, shape.dtype)?),
            rows_q: narrow("rowsQ", rows_q)?,
            rows_k: narrow("rowsK", rows_k)?,
            ..shape.call
        };
        Ok(Self { shape, rows_q, rows_k })
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
        let Packed { shape, rows_q, .. } = Packed::of(args, &p, cu_q, cu_k, rows_q, rows_k, q, k, v)?;
        let queries = [rows_q, shape.heads, shape.head_dim];
        let call = AttentionArgs {
            out: address(args.output("out", out, &queries, shape.dtype)?),
            lse: address(args.output("lse", lse, &queries[..2], DType::F32)?),
            ..shape.call
        };
        let plan = if shape.tensor_cores(&[call.q, call.k, call.v, call.out]) {
            Tensor::of(shape.head_dim).forward(&shape, rows_q, false)?
        } else {
            General::of(shape.head_dim).plan("forward", &shape, rows_q, shape.heads, 3, 1)?
        };
        Ok(move |context: &Context| {
            plan.launch(context, &AttentionArgs { error: context.error_flag(), ..call })
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
        let Packed { shape, rows_q, rows_k } = Packed::of(args, &p, cu_q, cu_k, rows_q, rows_k, q, k, v)?;
        let queries = [rows_q, shape.heads, shape.head_dim];
        let keys = [rows_k, shape.kv_heads, shape.head_dim];
        let call = AttentionArgs {
            dq: address(args.output("dq", dq, &queries, shape.dtype)?),
            dk: address(args.output("dk", dk, &keys, shape.dtype)?),
            dv: address(args.output("dv", dv, &keys, shape.dtype)?),
            dout: address(args.input("dout", dout, &queries, shape.dtype)?),
            out: address(args.input("out", out, &queries, shape.dtype)?),
            lse: address(args.input("lse", lse, &queries[..2], DType::F32)?),
            ..shape.call
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
            first.launch(context, &call)?;
            second.launch(context, &call)
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
            ..shape.call
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
        let combine = Plan {
            name: format!("ift_attention_combine_{}", shape.dtype.name()),
            geometry: Geometry {
                grid: [narrow("rows", rows.div_ceil(4))? as u32, 1, 1],
                block: [THREADS, 1, 1],
            },
            shared: 0,
        };
        let partial = product(&[splits, rows, dim, 4])?;
        let sums = product(&[splits, rows, 8])?;
        // The sums come first: their pairs are read as one.
        let partial_sums = if splits == 1 { 0 } else { address(args.scratch(sums + partial)?) };
        Ok(move |context: &Context| {
            let partial = partial_sums + sums as u64;
            let call = AttentionArgs { error: context.error_flag(), partial_sums, partial, ..call };
            plan.launch(context, &call)?;
            if splits == 1 { Ok(()) } else { combine.launch(context, &call) }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_ragged_rows() {
        assert_eq!(tiles(0, 3, 64).unwrap(), 0);
        // Sequences of 65, 1 and 63 rows take 2, 1 and 1 tiles.
        assert!(tiles(129, 3, 64).unwrap() >= 4);
        assert!(tiles(3, 3, 64).unwrap() >= 3);
    }

    #[test]
    fn every_head_dimension_has_a_kernel_and_fits_in_99_kib() {
        let shape = |head_dim| Shape {
            segments: 1,
            heads: 2,
            kv_heads: 1,
            head_dim,
            dtype: FloatDType::Bf16,
            call: AttentionArgs { scale: 1.0, ..AttentionArgs::default() },
        };
        for head_dim in 1..=MAX_HEAD_DIM {
            let (shape, tensor) = (shape(head_dim), Tensor::of(head_dim));
            assert!(tensor.dim >= head_dim && tensor.dim.is_multiple_of(16));
            assert_eq!(shape.tensor_cores(&[0, 16, 4096]), head_dim.is_multiple_of(8));
            let plans = [
                tensor.forward(&shape, 100, false),
                tensor.dq(&shape, 100),
                tensor.dkv(&shape, 100),
                tensor.decode(&shape, 100, 2),
                General::of(head_dim).plan("dkv", &shape, 100, 1, 4, 2),
            ];
            for plan in plans {
                let plan = plan.unwrap();
                assert!(plan.shared <= 99 << 10, "{} takes {} bytes", plan.name, plan.shared);
            }
        }
        assert!(!shape(64).tensor_cores(&[8]));
    }

    #[test]
    fn splits_fill_a_device_with_work_worth_it() {
        assert_eq!(splits(1, 32, 4096), 16);
        assert_eq!(splits(1, 8, 1 << 20), 32);
        assert_eq!(splits(64, 32, 4096), 1);
        assert_eq!(splits(1, 1, 100), 1);
        assert_eq!(splits(0, 1, 0), 1);
    }
}
