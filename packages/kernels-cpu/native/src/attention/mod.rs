//! Attention over ragged sequences without the matrix of scores in memory (Dao et al. 2022, arXiv:2205.14135): blocks of
//! queries against blocks of keys with the micro-kernels of [`crate::gemm`], softmax in f32.
//!
//! The heads that share a key head are rows of one block, query by query, so keys are packed once for all of them and
//! neighbouring rows see nearly the same keys. Every mask here lets a query see the keys before some end, so tiles
//! beyond the end of all their rows are skipped.

mod backward;
mod few;
mod forward;
mod paged;
mod softmax;
#[cfg(test)]
mod tests;

pub use backward::backward;
pub use forward::forward;
pub use paged::paged;

use crate::dtype::FloatDType;
use crate::element::Element;
use crate::gemm::micro::{Factors, MAX_ROWS, Micro};
use crate::gemm::operand::Operand;
use crate::isa::{Isa, Loop, vectorised};
use crate::with_element;

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

/// One sequence as its queries see it.
#[derive(Clone, Copy)]
struct Sequence {
    queries: usize,
    keys: usize,
    causal: bool,
    prefix: usize,
}

impl Sequence {
    fn of(mask: &Mask<'_>, segment: usize, queries: usize, keys: usize) -> Self {
        let prefix = mask.visible_prefix.map_or(0, |prefix| usize::try_from(prefix[segment]).unwrap_or(0));
        Self { queries, keys, causal: mask.causal, prefix: prefix.min(keys) }
    }

    /// Query i sees the keys before this one.
    fn end(&self, i: usize) -> usize {
        if !self.causal {
            return self.keys;
        }
        (i + 1 + self.keys).saturating_sub(self.queries).min(self.keys).max(self.prefix)
    }

    /// Position of query i among the keys, negative when there are more queries than keys.
    fn position(&self, i: usize) -> f32 {
        (i + self.keys) as f32 - self.queries as f32
    }
}

/// The queries of a block and the heads of a key head's group: row r is query `first + r / group` of head
/// `head + r % group`.
#[derive(Clone, Copy)]
struct RowBlock {
    sequence: Sequence,
    /// Row of the tensor where the sequence starts.
    offset: usize,
    first: usize,
    rows: usize,
    head: usize,
    group: usize,
    heads: usize,
}

impl RowBlock {
    fn query(&self, row: usize) -> usize {
        self.first + row / self.group
    }

    /// Row of [N, heads].
    fn index(&self, row: usize) -> usize {
        (self.offset + self.query(row)) * self.heads + self.head + row % self.group
    }

    /// Keys that row `row` sees end here.
    fn end(&self, row: usize) -> usize {
        self.sequence.end(self.query(row))
    }

    /// Copies these rows of x [N, heads, dim] to consecutive ones, which are an operand (row, dim).
    ///
    /// # Safety
    /// x holds the rows; `to` holds `rows · dim` elements.
    unsafe fn gather(&self, to: *mut u8, x: *const u8, dim: usize, dtype: FloatDType) -> Operand {
        let bytes = dim * dtype.size();
        for query in 0..self.rows / self.group {
            let row = query * self.group;
            unsafe {
                let from = x.add(self.index(row) * bytes);
                std::ptr::copy_nonoverlapping(from, to.add(row * bytes), self.group * bytes);
            }
        }
        Operand { at: to, ld: dim, transposed: false, dtype }
    }

    /// Queries of a block of about `rows` rows.
    fn queries(rows: usize, group: usize) -> usize {
        (rows / group).max(1)
    }
}

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
    let share = (rows / (3 * threads)).clamp(ROW_BLOCK, MOST_ROWS);
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

/// Stores a row of f32 times `factor`.
///
/// # Safety
/// Both hold `n` elements; the processor has `isa`.
unsafe fn store_row(isa: Isa, to: *mut u8, x: *const f32, n: usize, factor: f32, dtype: FloatDType) {
    with_element!(dtype, T => unsafe { vectorised(isa, StoreRow { to: to.cast::<T>(), x, n, factor }) });
}

struct StoreRow<T> {
    to: *mut T,
    x: *const f32,
    n: usize,
    factor: f32,
}

impl<T: Element> Loop for StoreRow<T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for i in 0..self.n {
            // SAFETY: the caller's elements.
            unsafe { *self.to.add(i) = T::store(*self.x.add(i) * self.factor) };
        }
    }
}
