//! Which kernel of attention is launched, on what grid and with how much shared memory: the tile sizes of the .cu files.

use ift_kernel_abi::{FloatDType, MAX_HEAD_DIM, Result, product};

use super::geometry::{Geometry, narrow};

const THREADS: u32 = 128;

/// The sequences and heads of a call.
#[derive(Clone, Copy)]
pub struct Shape {
    pub segments: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub scale: f32,
    pub dtype: FloatDType,
}

impl Shape {
    /// Whether tensor cores can do it, with everything at `addresses`.
    pub fn tensor_cores(&self, addresses: &[u64]) -> bool {
        self.dtype != FloatDType::F32
            && self.head_dim.is_multiple_of(8)
            && self.scale > 0.0
            && addresses.iter().all(|address| address.is_multiple_of(16))
    }
}

/// What a launch needs besides its arguments.
pub struct Plan {
    pub name: String,
    pub geometry: Geometry,
    pub shared: usize,
}

/// Tiles of `rows` rows that segments may need at most; none without rows.
fn tiles(rows: usize, segments: usize, tile: usize) -> Result<u32> {
    Ok(if rows == 0 { 0 } else { narrow("rows", rows / tile + segments)? as u32 })
}

/// Tile sizes of the tensor-core kernels: `ForwardShape`, `DqShape`, `DkvShape` and `DecodeShape` of the .cu
/// files.
pub struct Tensor {
    /// The head dimension that a kernel is compiled for, at least the asked one.
    dim: usize,
}

impl Tensor {
    /// Head dimensions with kernels of their own.
    const DIMS: [usize; 6] = [64, 80, 96, 128, 192, MAX_HEAD_DIM];

    pub fn of(head_dim: usize) -> Self {
        let dim = Self::DIMS.into_iter().find(|dim| head_dim <= *dim).unwrap_or(MAX_HEAD_DIM);
        Self { dim }
    }

    /// Bytes of `rows` rows of a tile.
    fn bytes(&self, rows: usize) -> usize {
        rows * (self.dim + 8) * 2
    }

    pub fn forward(&self, shape: &Shape, rows_q: usize, paged: bool) -> Result<Plan> {
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

    pub fn dq(&self, shape: &Shape, rows_q: usize) -> Result<Plan> {
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

    pub fn dkv(&self, shape: &Shape, rows_k: usize) -> Result<Plan> {
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

    pub fn decode(&self, shape: &Shape, rows_q: usize, splits: usize) -> Result<Plan> {
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
pub struct General {
    dim: usize,
    rows: usize,
}

impl General {
    pub fn of(head_dim: usize) -> Self {
        if head_dim <= 128 { Self { dim: 128, rows: 32 } } else { Self { dim: 256, rows: 16 } }
    }

    pub fn plan(
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
pub fn splits(segments: usize, kv_heads: usize, most_keys: usize) -> usize {
    const BLOCKS: usize = 512;
    const KEYS: usize = 256;
    (BLOCKS / (segments * kv_heads).max(1)).min(most_keys / KEYS).clamp(1, 32)
}

/// Adds up the splits of a decoding step, of `rows` rows and heads.
pub fn combine(dtype: FloatDType, rows: usize) -> Result<Plan> {
    Ok(Plan {
        name: format!("ift_attention_combine_{}", dtype.name()),
        geometry: Geometry { grid: [narrow("rows", rows.div_ceil(4))? as u32, 1, 1], block: [THREADS, 1, 1] },
        shared: 0,
    })
}

/// Every kernel of attention and the most shared memory that it is launched with.
pub fn kernels() -> Vec<(String, usize)> {
    let mut plans = Vec::new();
    for dtype in [FloatDType::F32, FloatDType::Bf16, FloatDType::F16] {
        let shape = |head_dim| Shape { segments: 1, heads: 1, kv_heads: 1, head_dim, scale: 1.0, dtype };
        for dim in [128, MAX_HEAD_DIM] {
            let (shape, general) = (shape(dim), General::of(dim));
            plans.extend(["forward", "paged"].map(|kind| general.plan(kind, &shape, 1, 1, 3, 1)));
            plans.push(general.plan("dq", &shape, 1, 1, 4, 1));
            plans.push(general.plan("dkv", &shape, 1, 1, 4, 2));
        }
        if dtype == FloatDType::F32 {
            continue;
        }
        for dim in Tensor::DIMS {
            let (shape, tensor) = (shape(dim), Tensor::of(dim));
            plans.extend([false, true].map(|paged| tensor.forward(&shape, 1, paged)));
            plans.extend([tensor.dq(&shape, 1), tensor.dkv(&shape, 1), tensor.decode(&shape, 1, 1)]);
        }
        plans.push(combine(dtype, 1));
    }
    plans.into_iter().flatten().map(|plan| (plan.name, plan.shared)).collect()
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
            scale: 1.0,
            dtype: FloatDType::Bf16,
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
                let planned = crate::plan::inventory::kernels()[&plan.name];
                assert_eq!(plan.shared, planned, "{}", plan.name);
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
