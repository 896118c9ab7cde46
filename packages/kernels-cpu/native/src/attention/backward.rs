//! dq, dk and dv: tasks of some keys of a sequence each, and what they add to dq.

use super::keys::{Partial, Pointers, Task, keys};
use super::rows::store_row;
use super::softmax::together;
use super::{AttentionParams, KEY_BLOCK, LANES};
use crate::element::Element;
use crate::gemm::micro::Micro;
use crate::isa::{Isa, Loop, mul_add, vectorised};
use crate::pool::{Pool, scratch};
use crate::with_element;
use std::ops::Range;

/// Keys of a task at least; a longer sequence is cut into at most [`PARTS`] of them.
const PART: usize = 2 * KEY_BLOCK;
const PARTS: usize = 4;

/// What a sequence of several parts adds to dq is summed in the order of its parts, so the cut must not depend on the number
/// of threads.
fn part_of(keys: usize) -> usize {
    keys.div_ceil(PARTS).next_multiple_of(KEY_BLOCK).max(PART)
}

/// # Safety
/// The pointers hold the tensors that `p` names, dq, dk and dv overlap no other, and the processor has `isa`.
#[expect(clippy::too_many_arguments, reason = "the operands of the kernel")]
pub unsafe fn backward(
    pool: &Pool,
    isa: Isa,
    dq: *mut u8,
    dk: *mut u8,
    dv: *mut u8,
    dout: *const u8,
    out: *const u8,
    lse: *const f32,
    q: *const u8,
    k: *const u8,
    v: *const u8,
    p: &AttentionParams<'_>,
) {
    // SAFETY: the caller's tensors and instruction set, which the micro-kernel is of.
    unsafe { backward_on(pool, isa, Micro::of(isa, p.dtype), dq, dk, dv, dout, out, lse, q, k, v, p) };
}

/// [`backward`] on a micro-kernel.
///
/// # Safety
/// As for [`backward`]; the processor has the instructions of `micro`.
#[expect(
    clippy::too_many_arguments,
    reason = "the operands of the kernel, and the micro-kernel that tests force"
)]
pub(super) unsafe fn backward_on(
    pool: &Pool,
    isa: Isa,
    micro: &Micro,
    dq: *mut u8,
    dk: *mut u8,
    dv: *mut u8,
    dout: *const u8,
    out: *const u8,
    lse: *const f32,
    q: *const u8,
    k: *const u8,
    v: *const u8,
    p: &AttentionParams<'_>,
) {
    let segments = p.cu_q.len() - 1;
    let queries = p.cu_q[segments] as usize;
    let group = p.heads / p.kv_heads;
    let mut delta = scratch::<f32>(queries * p.heads);
    let pointers = Pointers { dq, dk, dv, dout, out, lse, q, k, v, delta: delta.as_mut_ptr() };
    let pointers = &pointers;
    pool.ranges(queries * p.heads, 64, |rows| {
        with_element!(p.dtype, T => {
            // SAFETY: rows of out and dout.
            unsafe {
                vectorised(isa, Delta::<T> {
                    delta: pointers.delta,
                    a: pointers.dout.cast(),
                    b: pointers.out.cast(),
                    rows,
                    dim: p.head_dim,
                });
            }
        });
    });
    let run = |tasks: &[Task], partial: Option<&Partial>| {
        pool.run(tasks.len(), &|index| {
            // SAFETY: the caller's tensors; tasks own disjoint rows of dk, dv and of dq or their part of it.
            unsafe { keys(isa, micro, p, pointers, &tasks[index], partial) };
        });
    };
    let keys_of = |segment: usize| (p.cu_k[segment + 1] - p.cu_k[segment]) as usize;
    let (whole, cut): (Vec<_>, Vec<_>) = (0..segments).partition(|segment| {
        let keys = keys_of(*segment);
        keys <= part_of(keys)
    });
    let mut tasks: Vec<_> = whole
        .into_iter()
        .flat_map(|segment| (0..p.kv_heads).map(move |kv_head| (segment, kv_head)))
        .map(|(segment, kv_head)| Task { segment, kv_head, part: 0, keys: 0..keys_of(segment) })
        .collect();
    tasks.sort_by_key(|task| std::cmp::Reverse(task.keys.len()));
    run(&tasks, None);
    for segment in cut {
        let keys = keys_of(segment);
        let queries = (p.cu_q[segment + 1] - p.cu_q[segment]) as usize;
        let size = part_of(keys);
        let parts = keys.div_ceil(size);
        // A few tasks for each thread at a time: the parts of all heads would be several times as long as dq.
        let most = (3 * pool.threads()).div_ceil(parts);
        for first in (0..p.kv_heads).step_by(most) {
            let kv_heads = first..(first + most).min(p.kv_heads);
            let (head, heads) = (first * group, kv_heads.len() * group);
            let mut sums = scratch::<f32>(parts * queries * heads * p.head_dim);
            let partial = &Partial { at: sums.as_mut_ptr(), head, heads };
            // The first keys are seen by the most queries.
            let tasks: Vec<_> = (0..parts)
                .flat_map(|part| kv_heads.clone().map(move |kv_head| (part, kv_head)))
                .map(|(part, kv_head)| {
                    let keys = part * size..((part + 1) * size).min(keys);
                    Task { segment, kv_head, part, keys }
                })
                .collect();
            run(&tasks, Some(partial));
            pool.ranges(queries, 8, |rows| {
                let width = heads * p.head_dim;
                let mut sum = scratch::<f32>(width);
                for row in rows {
                    sum.fill(0.0);
                    // SAFETY: rows of dq and of the parts.
                    unsafe {
                        for part in 0..parts {
                            let from = partial.at.add((part * queries + row) * width);
                            for (i, value) in sum.iter_mut().enumerate() {
                                *value += *from.add(i);
                            }
                        }
                        let index = (p.cu_q[segment] as usize + row) * p.heads + head;
                        let to = pointers.dq.add(index * p.head_dim * p.dtype.size());
                        store_row(isa, to, sum.as_ptr(), width, 1.0, p.dtype);
                    }
                }
            });
        }
    }
}

struct Delta<T> {
    delta: *mut f32,
    a: *const T,
    b: *const T,
    rows: Range<usize>,
    dim: usize,
}

impl<T: Element> Loop for Delta<T> {
    type Out = ();
    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        for row in self.rows.clone() {
            let mut sums = [0f32; LANES];
            // SAFETY: the caller's rows.
            unsafe {
                let (a, b) = (self.a.add(row * self.dim), self.b.add(row * self.dim));
                let whole = self.dim / LANES * LANES;
                for first in (0..whole).step_by(LANES) {
                    for (lane, sum) in sums.iter_mut().enumerate() {
                        let (x, y) = ((*a.add(first + lane)).load(), (*b.add(first + lane)).load());
                        *sum = mul_add::<FMA>(x, y, *sum);
                    }
                }
                for d in whole..self.dim {
                    sums[d - whole] = mul_add::<FMA>((*a.add(d)).load(), (*b.add(d)).load(), sums[d - whole]);
                }
                *self.delta.add(row) = together(sums, |a, b| a + b);
            }
        }
    }
}
