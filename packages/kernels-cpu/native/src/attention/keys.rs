//! A task of the backward pass: the gradients of some keys and values of one key head, and what they add to dq.

use super::rows::{RowBlock, Sequence, store_row};
use super::softmax::{Gradients, Scores};
use super::{AttentionParams, KEY_BLOCK, LANES, ROW_BLOCK, ROW_BYTES, cover, factors, pad_rows, tiles};
use crate::dtype::FloatDType;
use crate::gemm::micro::{MAX_ROWS, Micro};
use crate::gemm::operand::Operand;
use crate::gemm::pack;
use crate::isa::{Isa, vectorised};
use crate::pool::scratch;
use std::ops::Range;

/// The operands of the backward pass.
pub struct Pointers {
    pub dq: *mut u8,
    pub dk: *mut u8,
    pub dv: *mut u8,
    pub dout: *const u8,
    pub out: *const u8,
    pub lse: *const f32,
    pub q: *const u8,
    pub k: *const u8,
    pub v: *const u8,
    /// Row sums of dout · out, [Nq, heads].
    pub delta: *mut f32,
}

// SAFETY: tasks write disjoint rows.
unsafe impl Sync for Pointers {}

/// What each part of the keys of a sequence adds to dq, for some of the heads: f32 [parts, queries, heads, headDim].
pub struct Partial {
    pub at: *mut f32,
    /// Of the tensor, the first.
    pub head: usize,
    pub heads: usize,
}

// SAFETY: as above.
unsafe impl Sync for Partial {}

/// Some keys of a sequence for one key head. They own their rows of dk and dv.
pub struct Task {
    pub segment: usize,
    pub kv_head: usize,
    pub part: usize,
    pub keys: Range<usize>,
}

/// dk and dv of the task's keys, and dq or, of a sequence of several parts, the task's part of it.
///
/// # Safety
/// The pointers hold the tensors that `p` names, `partial` the task's rows, and the processor has `isa`.
pub unsafe fn keys(
    isa: Isa,
    micro: &Micro,
    p: &AttentionParams<'_>,
    pointers: &Pointers,
    task: &Task,
    partial: Option<&Partial>,
) {
    let (dim, dtype) = (p.head_dim, p.dtype);
    let group = p.heads / p.kv_heads;
    let offset = p.cu_q[task.segment] as usize;
    let queries = p.cu_q[task.segment + 1] as usize - offset;
    let key_offset = p.cu_k[task.segment] as usize;
    let all_keys = p.cu_k[task.segment + 1] as usize - key_offset;
    let sequence = Sequence::of(&p.mask, task.segment, queries, all_keys);
    let count = task.keys.len();
    let key_at = |key: usize| ((key_offset + key) * p.kv_heads + task.kv_head) * dim * dtype.size();
    let source = |x: *const u8| Operand {
        at: x.wrapping_add(key_at(task.keys.start)),
        ld: p.kv_heads * dim,
        transposed: false,
        dtype,
    };
    let (k, v) = (source(pointers.k), source(pointers.v));

    let depth = KEY_BLOCK.min(count.max(1).next_multiple_of(LANES.max(micro.k_step)));
    let blocks = count.div_ceil(depth);
    let ld = depth.next_multiple_of(micro.nr.max(LANES));
    let dims = micro.pad_n(dim);
    let block_queries = {
        let most = RowBlock::queries(ROW_BLOCK, group);
        queries.div_ceil(queries.div_ceil(most).max(1)).max(1)
    };
    let most_rows = (block_queries * group).min(queries * group);
    let padded = pad_rows(most_rows);
    let key_bytes = micro.pad_n(depth) * micro.column_bytes(dim);
    let dim_bytes = dims * micro.column_bytes(depth);
    let mut k_panels = scratch::<u8>(blocks * key_bytes);
    let mut v_panels = scratch::<u8>(blocks * key_bytes);
    let mut k_turned = scratch::<u8>(blocks * dim_bytes);
    // [blocks, dim, keys]: of dk^T and dv^T.
    let sums = pad_rows(dim) * ld;
    let mut dk = scratch::<f32>(blocks * sums);
    let mut dv = scratch::<f32>(blocks * sums);
    let mut q_rows = scratch::<u8>(padded * ROW_BYTES);
    let mut dout_rows = scratch::<u8>(padded * ROW_BYTES);
    let mut q_turned = scratch::<u8>(pad_rows(dim) * ROW_BYTES);
    let mut dout_turned = scratch::<u8>(pad_rows(dim) * ROW_BYTES);
    let mut s = scratch::<f32>(MAX_ROWS * ld);
    let mut dp = scratch::<f32>(MAX_ROWS * ld);
    let mut p_panels = scratch::<u8>(ld * micro.column_bytes(most_rows));
    let mut ds_panels = scratch::<u8>(ld * micro.column_bytes(most_rows));
    let mut ds_rows = scratch::<u8>(MAX_ROWS * ROW_BYTES);
    let mut dq = scratch::<f32>(padded * dims);
    let mut statistics = scratch::<f32>(2 * most_rows);
    let (lse, delta) = statistics.split_at_mut(most_rows);
    dk.fill(0.0);
    dv.fill(0.0);

    // SAFETY: the caller's tensors; scratch of the sizes that packing and blocks need.
    unsafe {
        let _session = micro.session();
        for block in 0..blocks {
            let first = block * depth;
            let keys = first..(first + depth).min(count);
            let k_to = k_panels.as_mut_ptr().add(block * key_bytes);
            pack::panels(isa, micro, k_to, k, keys.clone(), 0..dim);
            let v_to = v_panels.as_mut_ptr().add(block * key_bytes);
            pack::panels(isa, micro, v_to, v, keys.clone(), 0..dim);
            let to = k_turned.as_mut_ptr().add(block * dim_bytes);
            pack::panels(isa, micro, to, k.turned(), 0..dim, keys);
        }
        for first in (0..queries).step_by(block_queries) {
            let rows = block_queries.min(queries - first) * group;
            let block =
                RowBlock { sequence, offset, first, rows, head: task.kv_head * group, group, heads: p.heads };
            dq[..rows * dims].fill(0.0);
            let total = block.end(rows - 1).saturating_sub(task.keys.start).min(count);
            if total > 0 {
                for row in 0..rows {
                    lse[row] = *pointers.lse.add(block.index(row));
                    delta[row] = *pointers.delta.add(block.index(row));
                }
                for (x, packed, turned) in [
                    (pointers.q, &mut q_rows, &mut q_turned),
                    (pointers.dout, &mut dout_rows, &mut dout_turned),
                ] {
                    let x = block.pack(isa, micro, packed.as_mut_ptr(), x, dim, dtype);
                    pack::rows(isa, micro, (turned.as_mut_ptr(), ROW_BYTES), x.turned(), 0..dim, 0..rows);
                }
            }
            let stride = micro.column_bytes(rows);
            for part in 0..total.div_ceil(depth) {
                let key = task.keys.start + part * depth;
                let size = depth.min(count - part * depth);
                let seen = (total - part * depth).min(size);
                let width = seen.next_multiple_of(micro.nr.max(LANES));
                let k_panels = k_panels.as_ptr().add(part * key_bytes);
                let v_panels = v_panels.as_ptr().add(part * key_bytes);
                let k_turned = k_turned.as_ptr().add(part * dim_bytes);
                // Where the depth of the panels is padded no row writes.
                let units = rows.div_ceil(micro.unit())..micro.pad_k(rows) / micro.unit();
                for col in (0..if units.is_empty() { 0 } else { width }).step_by(micro.nr) {
                    let at = col * stride + units.start * micro.nr * 4;
                    p_panels.as_mut_ptr().add(at).write_bytes(0, units.len() * micro.nr * 4);
                    ds_panels.as_mut_ptr().add(at).write_bytes(0, units.len() * micro.nr * 4);
                }
                for (tile, end) in tiles(micro, &block) {
                    let visible = end.saturating_sub(key).min(size);
                    let cols = cover(micro, visible, size);
                    let at = tile.start * ROW_BYTES;
                    let (s, dp) = (s.as_mut_ptr(), dp.as_mut_ptr());
                    let bytes = micro.column_bytes(dim);
                    let (q_at, dout_at) = (q_rows.as_ptr().add(at), dout_rows.as_ptr().add(at));
                    micro.block(tile.len(), cols, &factors(dim, q_at, k_panels, bytes), s, ld, false);
                    micro.block(tile.len(), cols, &factors(dim, dout_at, v_panels, bytes), dp, ld, false);
                    let scores = Scores {
                        block: &block,
                        scale: p.scale,
                        slopes: p.mask.alibi_slopes,
                        key,
                        cols: seen,
                        ld,
                    };
                    macro_rules! gradients {
                        ($pair:literal, $lanes:literal) => {
                            vectorised(
                                isa,
                                Gradients::<$pair, $lanes> {
                                    scores,
                                    rows: tile.clone(),
                                    s,
                                    dp,
                                    lse: lse.as_ptr(),
                                    delta: delta.as_ptr(),
                                    p_panels: p_panels.as_mut_ptr(),
                                    ds_panels: ds_panels.as_mut_ptr(),
                                    ds_rows: ds_rows.as_mut_ptr(),
                                    width,
                                    panel: micro.nr,
                                    stride,
                                },
                            )
                        };
                    }
                    match (micro.pair, micro.nr.is_multiple_of(LANES)) {
                        (true, _) => gradients!(true, 16),
                        (false, true) => gradients!(false, 16),
                        (false, false) => gradients!(false, 8),
                    }
                    if visible > 0 {
                        let x = factors(visible, ds_rows.as_ptr(), k_turned, micro.column_bytes(size));
                        let c = dq.as_mut_ptr().add(tile.start * dims);
                        micro.block(tile.len(), dims, &x, c, dims, true);
                    }
                }
                let mut skip = 0;
                for j in (0..seen).step_by(micro.nr) {
                    // Queries before those that see the panel's first key see none of it.
                    while block.end(skip) <= key + j {
                        skip += group;
                    }
                    let skip = skip / micro.k_step * micro.k_step;
                    let bytes = skip * micro.value_bytes();
                    for (a, panels, c) in
                        [(&dout_turned, &p_panels, dv.as_mut_ptr()), (&q_turned, &ds_panels, dk.as_mut_ptr())]
                    {
                        let a = a.as_ptr().add(bytes);
                        let b = panels.as_ptr().add(j * stride + micro.nr * bytes);
                        let c = c.add(part * sums + j);
                        micro.block(dim, micro.nr, &factors(rows - skip, a, b, stride), c, ld, true);
                    }
                }
            }
            let sums = (dq.as_ptr(), dims);
            match partial {
                None => block.scatter(isa, pointers.dq, sums, None, dim, dtype),
                Some(&Partial { at, head, heads }) => {
                    let to = at.add(task.part * queries * heads * dim).cast();
                    let block = RowBlock { offset: 0, head: block.head - head, heads, ..block };
                    block.scatter(isa, to, sums, None, dim, FloatDType::F32);
                }
            }
        }
        let turned = ds_rows.as_mut_ptr();
        for (to, sums_of) in [(pointers.dk, &dk), (pointers.dv, &dv)] {
            for first in (0..count).step_by(MAX_ROWS) {
                // Blocks of keys are whole tiles, but for the last.
                let at = sums_of.as_ptr().add(first / depth * sums).cast();
                let x = Operand { at, ld, transposed: true, dtype: FloatDType::F32 };
                let keys = first % depth..(first % depth + MAX_ROWS).min(count - first / depth * depth);
                let rows = keys.len();
                pack::rows(isa, Micro::of(isa, FloatDType::F32), (turned, ROW_BYTES), x, keys, 0..dim);
                for row in 0..rows {
                    let to = to.add(key_at(task.keys.start + first + row));
                    store_row(isa, to, turned.add(row * ROW_BYTES).cast(), dim, 1.0, dtype);
                }
            }
        }
    }
}
