//! Attention over ragged sequences without the matrix of scores in memory (Dao et al. 2022, arXiv:2205.14135): blocks of
//! queries against blocks of keys with the micro-kernels of [`crate::gemm`], softmax in f32.
//!
//! The heads that share a key head are rows of one block, query by query, so keys are packed once for all of them and
//! neighbouring rows see nearly the same keys. Every mask here lets a query see the keys before some end, so tiles
//! beyond the end of all their rows are skipped.

mod backward;
mod few;
mod forward;
mod keys;
mod paged;
mod rows;
mod softmax;
#[cfg(test)]
mod tests;

pub use backward::backward;
pub use forward::forward;
pub use paged::paged;

use crate::dtype::FloatDType;
use crate::gemm::micro::{Factors, MAX_ROWS, Micro};
use rows::RowBlock;

/// Which keys a query sees.
#[derive(Clone, Copy, Default)]
pub struct Mask<'a> {
    /// Query i of a sequence sees its keys j <= i + (kLen - qLen).
    pub causal: bool,
    /// [segments]: keys before it are visible to every query of the sequence.
    pub visible_prefix: Option<&'a [i32]>,
    /// [heads]: adds slope · (j - (i + kLen - qLen)) to the score.
    pub alibi_slopes: Option<&'a [f32]>,
}

/// q, out [Nq, heads, headDim]; k, v [Nk, kvHeads, headDim]; lse f32 [Nq, heads]. Sequence s owns rows
/// `cu_q[s]..cu_q[s + 1]` of q and `cu_k[s]..cu_k[s + 1]` of k and v. `heads` is a multiple of `kv_heads`.
#[derive(Clone, Copy)]
pub struct AttentionParams<'a> {
    pub cu_q: &'a [i32],
    pub cu_k: &'a [i32],
    pub heads: usize,
    pub kv_heads: usize,
    /// At most 256.
    pub head_dim: usize,
    pub scale: f32,
    pub dtype: FloatDType,
    pub mask: Mask<'a>,
}

/// Keys and values in pages [pages, page_size, kv_heads, head_dim]; page p of sequence s is
/// `page_table[s · max_pages + p]`. Row `cu_q[s] + i` of q is the query at position `kv_lengths[s] - qLen + i`.
#[derive(Clone, Copy)]
pub struct PagedParams<'a> {
    pub cu_q: &'a [i32],
    pub kv_lengths: &'a [i32],
    pub page_table: &'a [i32],
    pub max_pages: usize,
    pub page_size: usize,
    pub heads: usize,
    pub kv_heads: usize,
    /// At most 256.
    pub head_dim: usize,
    pub scale: f32,
    pub dtype: FloatDType,
    pub mask: Mask<'a>,
}

/// Keys of a block of scores: their packed values must fit a packed row in every dtype.
const KEY_BLOCK: usize = 256;
/// Rows (queries x heads of a group) of a block, about: of a backward block, and the least and the most of a forward
/// block, whose size does not show in the bits of the result.
const ROW_BLOCK: usize = 128;
const MOST_ROWS: usize = 384;
/// Distance of packed rows of queries and probabilities: an odd number of cache lines, so that they fall into different
/// sets, with room for a block of keys in every dtype.
const ROW_BYTES: usize = 1600;
const _: () = assert!(4 * KEY_BLOCK <= ROW_BYTES);
/// Columns of scores are padded to whole vectors of the softmax loops.
const LANES: usize = 16;

/// One task of the forward pass and of the query side of the backward pass.
struct Task {
    segment: usize,
    kv_head: usize,
    first: usize,
    queries: usize,
}

/// Blocks of queries of all sequences and key heads; those with the most keys first, so that the last ones are short.
/// Keys are packed once for each block, so blocks are as large as keeps the threads busy.
fn query_tasks(cu_q: &[i32], kv_heads: usize, group: usize, threads: usize) -> Vec<Task> {
    let rows = cu_q.last().map_or(0, |rows| *rows as usize) * group * kv_heads;
    tasks_of(cu_q, kv_heads, group, (rows / (3 * threads)).clamp(ROW_BLOCK, MOST_ROWS))
}

/// The same with blocks of about `share` rows.
fn tasks_of(cu_q: &[i32], kv_heads: usize, group: usize, share: usize) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (segment, bounds) in cu_q.windows(2).enumerate() {
        let queries = (bounds[1] - bounds[0]) as usize;
        let blocks = queries.div_ceil(RowBlock::queries(share, group)).max(1);
        let size = queries.div_ceil(blocks);
        for first in (0..queries).step_by(size.max(1)).rev() {
            for kv_head in 0..kv_heads {
                tasks.push(Task { segment, kv_head, first, queries: size.min(queries - first) });
            }
        }
    }
    tasks
}

/// Rows of a tile of `micro` and the columns that all of them together see, for the tiles of a block of rows.
fn tiles<'a>(
    micro: &'a Micro,
    block: &'a RowBlock,
) -> impl Iterator<Item = (std::ops::Range<usize>, usize)> + use<'a> {
    // Rows that go into one of pairs stay together.
    let step = micro.tile_rows(block.rows).next_multiple_of(micro.unit());
    (0..block.rows).step_by(step).map(move |row| {
        let last = (row + step).min(block.rows);
        (row..last, block.end(last - 1))
    })
}

/// Columns of `cols` packed ones that cover the first `visible`: whole panels.
fn cover(micro: &Micro, visible: usize, cols: usize) -> usize {
    visible.next_multiple_of(micro.nr).min(micro.pad_n(cols))
}

/// Packed rows from `a` on times the panels at `b`, whose columns take `column_bytes`.
fn factors(k: usize, a: *const u8, b: *const u8, column_bytes: usize) -> [Factors; 1] {
    [Factors { k, a, stride: ROW_BYTES, b, column_bytes }]
}

/// Rows of scratch for `rows` rows.
fn pad_rows(rows: usize) -> usize {
    rows.next_multiple_of(MAX_ROWS)
}
