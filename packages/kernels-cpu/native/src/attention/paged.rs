//! Decoding over a paged cache of keys and values.

use super::few::{FEW, INVARIANT, Run};
use super::forward::Heads;
use super::rows::{RowBlock, Sequence};
use super::{KEY_BLOCK, PagedParams, Task, query_tasks, tasks_of};
use crate::gemm::micro::Micro;
use crate::gemm::operand::Operand;
use crate::isa::Isa;
use crate::pool::{Pool, scratch};

struct Pointers {
    out: *mut u8,
    q: *const u8,
    k: *const u8,
    v: *const u8,
}

// SAFETY: tasks write disjoint rows.
unsafe impl Sync for Pointers {}

/// # Safety
/// The pointers hold the tensors that `p` names, with every page of the table that `kv_lengths` reaches; out overlaps
/// no other; the processor has `isa`. With `invariant_rows` a query's result has the same bits whatever the other queries are.
#[expect(clippy::too_many_arguments, reason = "the operands of the kernel")]
pub unsafe fn paged(
    pool: &Pool,
    isa: Isa,
    invariant_rows: bool,
    out: *mut u8,
    q: *const u8,
    k_pages: *const u8,
    v_pages: *const u8,
    p: &PagedParams<'_>,
) {
    let pointers = Pointers { out, q, k: k_pages, v: v_pages };
    let group = p.heads / p.kv_heads;
    let tasks = if invariant_rows {
        tasks_of(p.cu_q, p.kv_heads, group, INVARIANT)
    } else {
        query_tasks(p.cu_q, p.kv_heads, group, pool.threads())
    };
    let few = |task: &Task| invariant_rows || task.queries * group <= FEW;
    // A thread takes as many heads of a sequence's few rows as leave something for the others.
    let beside = pool.threads().div_ceil(p.kv_lengths.len().max(1));
    let shares: Vec<&[Task]> = tasks
        .chunk_by(|a, b| few(a) && (a.segment, a.first) == (b.segment, b.first))
        .flat_map(|tasks| tasks.chunks(p.kv_heads.div_ceil(beside)))
        .collect();
    let micro = Micro::of(isa, p.dtype);
    let row_bytes = p.head_dim * p.dtype.size();
    pool.run(shares.len(), &|index| {
        let pointers = &pointers;
        let share = shares[index];
        let task = &share[0];
        let offset = p.cu_q[task.segment] as usize;
        let queries = p.cu_q[task.segment + 1] as usize - offset;
        let keys = p.kv_lengths[task.segment] as usize;
        let block = |task: &Task| RowBlock {
            sequence: Sequence::of(&p.mask, task.segment, queries, keys),
            offset,
            first: task.first,
            rows: task.queries * group,
            head: task.kv_head * group,
            group,
            heads: p.heads,
        };
        let heads = Heads { isa, micro, dim: p.head_dim, scale: p.scale, dtype: p.dtype, mask: &p.mask };
        // The keys of a page from one on.
        let run = |key: usize| {
            let page = p.page_table[task.segment * p.max_pages + key / p.page_size] as usize;
            let first = key % p.page_size;
            let row = (page * p.page_size + first) * p.kv_heads + task.kv_head;
            let operand = |x: *const u8| Operand {
                // SAFETY: every page that is reached lies in the pool.
                at: unsafe { x.add(row * row_bytes) },
                ld: p.kv_heads * p.head_dim,
                transposed: false,
                dtype: p.dtype,
            };
            Run { k: operand(pointers.k), v: operand(pointers.v), keys: p.page_size - first }
        };
        // SAFETY: the caller's tensors; tasks own disjoint rows of out.
        unsafe {
            if few(task) {
                let blocks: Vec<RowBlock> = share.iter().map(block).collect();
                heads.few_rows(&blocks, pointers.out, pointers.q, run);
                return;
            }
            let mut staged = scratch::<u8>(2 * KEY_BLOCK * row_bytes);
            let (k, v) = staged.split_at_mut(KEY_BLOCK * row_bytes);
            heads.rows(&block(task), pointers.out, std::ptr::null_mut(), pointers.q, |range| {
                let (mut key, mut to) = (range.start, 0);
                while key < range.end {
                    let run = run(key);
                    let keys = run.keys.min(range.end - key);
                    for i in 0..keys {
                        for (from, staged) in [(run.k, &mut *k), (run.v, &mut *v)] {
                            let to = staged.as_mut_ptr().add((to + i) * row_bytes);
                            std::ptr::copy_nonoverlapping(from.element(i, 0), to, row_bytes);
                        }
                    }
                    key += keys;
                    to += keys;
                }
                let operand = |at| Operand { at, ld: p.head_dim, transposed: false, dtype: p.dtype };
                (operand(k.as_ptr()), operand(v.as_ptr()))
            });
        }
    });
}
