//! The arguments of attention that all of its kernels share, checked.

use ift_kernel_abi::{DType, FloatDType, Heads, Result, size};

use crate::device::{Checked, address};
use crate::launch::{Context, args};
use crate::plan::attention::{Plan, Shape};
use crate::plan::geometry::narrow;

args! {
    /// `AttentionArgs` of args/attention.h.
    pub struct AttentionArgs {
        pub q: u64,
        pub k: u64,
        pub v: u64,
        pub out: u64,
        pub lse: u64,
        pub dout: u64,
        pub delta: u64,
        pub dq: u64,
        pub dk: u64,
        pub dv: u64,
        pub cu_q: u64,
        pub cu_k: u64,
        pub visible_prefix: u64,
        pub alibi_slopes: u64,
        pub kv_lengths: u64,
        pub page_table: u64,
        pub partial: u64,
        pub partial_sums: u64,
        pub error: u64,
        pub segments: i32,
        pub rows_q: i32,
        pub rows_k: i32,
        pub heads: i32,
        pub kv_heads: i32,
        pub head_dim: i32,
        pub causal: i32,
        pub max_pages: i32,
        pub page_size: i32,
        pub pages: i32,
        pub splits: i32,
        pub scale: f32,
    }
}

/// `AttentionMask` and the heads, as numbers.
pub struct AttentionShape {
    pub segments: f64,
    pub heads: f64,
    pub kv_heads: f64,
    pub head_dim: f64,
    pub scale: f64,
    pub dtype: u32,
    pub causal: bool,
    pub visible_prefix: Option<u32>,
    pub alibi_slopes: Option<u32>,
}

/// A call as far as it was checked: its shape, and that part of the arguments.
pub struct Call {
    pub shape: Shape,
    pub args: AttentionArgs,
}

impl Call {
    pub fn of(args: &Checked<'_>, p: &AttentionShape) -> Result<Self> {
        let segments = size("segments", p.segments)?;
        let Heads { heads, kv_heads, head_dim } = Heads::from_numbers(p.heads, p.kv_heads, p.head_dim)?;
        let prefix = |id| args.input("visiblePrefix", id, &[segments], DType::I32);
        let slopes = |id| args.input("alibiSlopes", id, &[heads], DType::F32);
        let scale = p.scale as f32;
        let args = AttentionArgs {
            visible_prefix: p.visible_prefix.map(prefix).transpose()?.map_or(0, address),
            alibi_slopes: p.alibi_slopes.map(slopes).transpose()?.map_or(0, address),
            segments: narrow("segments", segments)?,
            heads: heads as i32,
            kv_heads: kv_heads as i32,
            head_dim: head_dim as i32,
            causal: i32::from(p.causal),
            splits: 1,
            scale,
            ..AttentionArgs::default()
        };
        let dtype = FloatDType::from_code(p.dtype)?;
        Ok(Self { shape: Shape { segments, heads, kv_heads, head_dim, scale, dtype }, args })
    }
}

/// Launches a planned kernel.
pub fn launch(context: &Context, plan: &Plan, args: &AttentionArgs) -> Result<()> {
    context.launch(&plan.name, plan.geometry, plan.shared, args)
}
