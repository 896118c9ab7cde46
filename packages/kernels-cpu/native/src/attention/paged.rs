//! Decoding over a paged cache of keys and values.

use super::forward::Heads;
use super::{KEY_BLOCK, PagedParams, RowBlock, Sequence, query_tasks};
use crate::gemm::micro::Micro;
use crate::gemm::pack::Operand;
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
/// no other; the processor has `isa`.
pub unsafe fn paged(
    pool: &Pool,
    isa: Isa,
    out: *mut u8,
    q: *const u8,
    k_pages: *const u8,
    v_pages: *const u8,
    p: &PagedParams<'_>,
) {
    let pointers = Pointers { out, q, k: k_pages, v: v_pages };
    let group = p.heads / p.kv_heads;
    let tasks = query_tasks(p.cu_q, p.kv_heads, group, pool.threads());
    let micro = Micro::of(isa, p.dtype);
    let row_bytes = p.head_dim * p.dtype.size();
    pool.run(tasks.len(), &|index| {
        let pointers = &pointers;
        let task = &tasks[index];
        let offset = p.cu_q[task.segment] as usize;
        let queries = p.cu_q[task.segment + 1] as usize - offset;
        let keys = p.kv_lengths[task.segment] as usize;
        let block = RowBlock {
            sequence: Sequence::of(&p.mask, task.segment, queries, keys),
            offset,
            first: task.first,
            rows: task.queries * group,
            head: task.kv_head * group,
            group,
            heads: p.heads,
        };
        let mut staged = scratch::<u8>(2 * KEY_BLOCK * row_bytes);
        let (k, v) = staged.split_at_mut(KEY_BLOCK * row_bytes);
        let heads = Heads { isa, micro, dim: p.head_dim, scale: p.scale, dtype: p.dtype, mask: &p.mask };
        // SAFETY: the caller's tensors; tasks own disjoint rows of out.
        unsafe {
            heads.rows(&block, pointers.out, std::ptr::null_mut(), pointers.q, |range| {
                let (mut key, mut to) = (range.start, 0);
                while key < range.end {
                    let page = p.page_table[task.segment * p.max_pages + key / p.page_size] as usize;
                    let first = key % p.page_size;
                    let run = (p.page_size - first).min(range.end - key);
                    for i in 0..run {
                        let row = (page * p.page_size + first + i) * p.kv_heads + task.kv_head;
                        let (from, to) = (row * row_bytes, (to + i) * row_bytes);
                        std::ptr::copy_nonoverlapping(
                            pointers.k.add(from),
                            k.as_mut_ptr().add(to),
                            row_bytes,
                        );
                        std::ptr::copy_nonoverlapping(
                            pointers.v.add(from),
                            v.as_mut_ptr().add(to),
                            row_bytes,
                        );
                    }
                    key += run;
                    to += run;
                }
                let operand = |at| Operand { at, ld: p.head_dim, transposed: false, dtype: p.dtype };
                (operand(k.as_ptr()), operand(v.as_ptr()))
            });
        }
    });
}
