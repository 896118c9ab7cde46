//! out and lse.

use super::rows::{RowBlock, Sequence};
use super::softmax::{Scores, Step};
use super::{
    AttentionParams, KEY_BLOCK, LANES, Mask, ROW_BYTES, cover, factors, pad_rows, query_tasks, tiles,
};
use crate::dtype::FloatDType;
use crate::gemm::micro::{MAX_ROWS, Micro};
use crate::gemm::operand::Operand;
use crate::gemm::pack;
use crate::isa::{Isa, vectorised};
use crate::pool::{Pool, scratch};
use std::f32::consts::LN_2;
use std::ops::Range;

struct Pointers {
    out: *mut u8,
    lse: *mut f32,
    q: *const u8,
    k: *const u8,
    v: *const u8,
}

// SAFETY: tasks write disjoint rows.
unsafe impl Sync for Pointers {}

/// # Safety
/// The pointers hold the tensors that `p` names, out and lse overlap no other, and the processor has `isa`.
#[expect(clippy::too_many_arguments, reason = "the operands of the kernel")]
pub unsafe fn forward(
    pool: &Pool,
    isa: Isa,
    out: *mut u8,
    lse: *mut f32,
    q: *const u8,
    k: *const u8,
    v: *const u8,
    p: &AttentionParams<'_>,
) {
    // SAFETY: the caller's tensors and instruction set, which the micro-kernel is of.
    unsafe { forward_on(pool, isa, Micro::of(isa, p.dtype), out, lse, q, k, v, p) };
}

/// [`forward`] on a micro-kernel.
///
/// # Safety
/// As for [`forward`]; the processor has the instructions of `micro`.
#[expect(
    clippy::too_many_arguments,
    reason = "the operands of the kernel, and the micro-kernel that tests force"
)]
pub(super) unsafe fn forward_on(
    pool: &Pool,
    isa: Isa,
    micro: &Micro,
    out: *mut u8,
    lse: *mut f32,
    q: *const u8,
    k: *const u8,
    v: *const u8,
    p: &AttentionParams<'_>,
) {
    let pointers = Pointers { out, lse, q, k, v };
    let group = p.heads / p.kv_heads;
    let tasks = query_tasks(p.cu_q, p.kv_heads, group, pool.threads());
    pool.run(tasks.len(), &|index| {
        let pointers = &pointers;
        let task = &tasks[index];
        let offset = p.cu_q[task.segment] as usize;
        let key_offset = p.cu_k[task.segment] as usize;
        let queries = p.cu_q[task.segment + 1] as usize - offset;
        let keys = p.cu_k[task.segment + 1] as usize - key_offset;
        let block = RowBlock {
            sequence: Sequence::of(&p.mask, task.segment, queries, keys),
            offset,
            first: task.first,
            rows: task.queries * group,
            head: task.kv_head * group,
            group,
            heads: p.heads,
        };
        let source = |x: *const u8| {
            let row = (key_offset * p.kv_heads + task.kv_head) * p.head_dim;
            // SAFETY: the sequence's first key lies in the tensor, or there is none.
            let at = x.wrapping_add(row * p.dtype.size());
            Operand { at, ld: p.kv_heads * p.head_dim, transposed: false, dtype: p.dtype }
        };
        let (k, v) = (source(pointers.k), source(pointers.v));
        let heads = Heads { isa, micro, dim: p.head_dim, scale: p.scale, dtype: p.dtype, mask: &p.mask };
        // SAFETY: the caller's tensors; tasks own disjoint rows of out and lse.
        unsafe {
            heads.rows(&block, pointers.out, pointers.lse, pointers.q, |keys| {
                (k.from(keys.start), v.from(keys.start))
            });
        }
    });
}

/// What the rows of every task have in common.
pub struct Heads<'a> {
    pub isa: Isa,
    pub micro: &'a Micro,
    pub dim: usize,
    pub scale: f32,
    pub dtype: FloatDType,
    pub mask: &'a Mask<'a>,
}

impl Heads<'_> {
    /// out and, unless null, lse of a block of rows. `keys` gives k and v from the first key of a range, as operands
    /// (key, dim).
    ///
    /// # Safety
    /// The tensors hold the rows of the block, and what `keys` returns those of the range.
    pub unsafe fn rows(
        &self,
        block: &RowBlock,
        out: *mut u8,
        lse: *mut f32,
        q: *const u8,
        mut keys: impl FnMut(Range<usize>) -> (Operand, Operand),
    ) {
        let &Self { isa, micro, dim, dtype, .. } = self;
        let rows = block.rows;
        let padded = pad_rows(rows);
        let dims = micro.pad_n(dim);
        let total = block.end(rows - 1);
        let depth = KEY_BLOCK.min(total.max(1).next_multiple_of(LANES.max(micro.k_step)));
        let ld = micro.pad_n(depth).next_multiple_of(LANES);
        let mut left = scratch::<u8>(padded * ROW_BYTES);
        let mut right = scratch::<u8>(micro.pad_n(depth) * micro.column_bytes(dim));
        let mut values = scratch::<u8>(dims * micro.column_bytes(depth));
        let mut scores = scratch::<f32>(MAX_ROWS * ld);
        let mut weights = scratch::<u8>(MAX_ROWS * ROW_BYTES);
        let mut sums = scratch::<f32>(padded * dims);
        let mut state = scratch::<f32>(2 * rows);
        let (max, sum) = state.split_at_mut(rows);
        max.fill(f32::NEG_INFINITY);
        sum.fill(0.0);
        sums[..rows * dims].fill(0.0);
        // SAFETY: the caller's tensors; scratch of the sizes that packing and blocks need.
        unsafe {
            let _session = micro.session();
            block.pack(isa, micro, left.as_mut_ptr(), q, dim, dtype);
            for key in (0..total).step_by(depth) {
                let count = depth.min(total - key);
                let (k, v) = keys(key..key + count);
                pack::panels(isa, micro, right.as_mut_ptr(), k, 0..count, 0..dim);
                pack::panels(isa, micro, values.as_mut_ptr(), v.turned(), 0..dim, 0..count);
                for (tile, end) in tiles(micro, block) {
                    let visible = end.saturating_sub(key).min(count);
                    if visible == 0 {
                        continue;
                    }
                    let a = left.as_ptr().add(tile.start * ROW_BYTES);
                    let s = scores.as_mut_ptr();
                    let cols = cover(micro, visible, count);
                    let x = factors(dim, a, right.as_ptr(), micro.column_bytes(dim));
                    micro.block(tile.len(), cols, &x, s, ld, false);
                    let cols = micro.pad_k(visible);
                    vectorised(
                        isa,
                        Step {
                            scores: Scores {
                                block,
                                scale: self.scale,
                                slopes: self.mask.alibi_slopes,
                                key,
                                cols,
                                ld,
                            },
                            rows: tile.clone(),
                            s,
                            p: weights.as_mut_ptr(),
                            pair: micro.pair,
                            max: max.as_mut_ptr(),
                            sum: sum.as_mut_ptr(),
                            out: sums.as_mut_ptr(),
                            out_ld: dims,
                            scale_out: key > 0,
                        },
                    );
                    let x = factors(visible, weights.as_ptr(), values.as_ptr(), micro.column_bytes(count));
                    let c = sums.as_mut_ptr().add(tile.start * dims);
                    micro.block(tile.len(), dims, &x, c, dims, true);
                }
            }
            if !lse.is_null() {
                for row in 0..rows {
                    let some = block.end(row) > 0;
                    *lse.add(block.index(row)) =
                        if some { max[row] * LN_2 + sum[row].ln() } else { f32::NEG_INFINITY };
                }
            }
            block.scatter(isa, out, (sums.as_ptr(), dims), Some(sum), dim, dtype);
        }
    }
}
