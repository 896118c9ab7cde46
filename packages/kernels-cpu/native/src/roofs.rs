//! What this machine can do at most, for kernels to be measured against.

use std::time::Instant;

use crate::dtype::FloatDType;
use crate::gemm::micro::{Factors, Micro};
use crate::isa::Isa;
use crate::pool::Pool;

/// Seconds of the fastest of the calls that fit into `budget` seconds.
pub fn fastest(budget: f64, mut body: impl FnMut()) -> f64 {
    body();
    let start = Instant::now();
    let mut best = f64::INFINITY;
    while start.elapsed().as_secs_f64() < budget {
        let from = Instant::now();
        body();
        best = best.min(from.elapsed().as_secs_f64());
    }
    best
}

/// GFLOP/s of the micro-kernel on operands that stay in the first-level cache, on every thread.
pub fn peak(pool: &Pool, isa: Isa, dtype: FloatDType, budget: f64) -> f64 {
    let micro = Micro::of(isa, dtype);
    let (depth, repeats) = (256, 1000);
    let time = fastest(budget, || {
        pool.run(pool.threads(), &|_| {
            let bytes = micro.column_bytes(depth);
            // An odd number of cache lines apart, rows fall into different sets.
            let stride = bytes + 64;
            let a = vec![0u64; 32 * stride / 8];
            let b = vec![0u64; micro.nr * bytes / 8 + 8];
            let mut c = vec![0f32; 32 * micro.nr];
            let (a, b) = (a.as_ptr().cast(), b.as_ptr().cast());
            let factors = [Factors { k: depth, a, stride, b, column_bytes: bytes }];
            // SAFETY: the processor has `isa`.
            let _session = unsafe { micro.session() };
            for _ in 0..repeats {
                // SAFETY: whole tiles of every operand.
                unsafe { micro.block(micro.mr, micro.nr, &factors, c.as_mut_ptr(), micro.nr, false) };
            }
        });
    });
    2.0 * (micro.mr * micro.nr * depth * repeats * pool.threads()) as f64 / time / 1e9
}

/// GB/s of reading memory that no cache holds, on every thread.
pub fn bandwidth(pool: &Pool, budget: f64) -> f64 {
    const LANES: usize = 64;
    let words = vec![1u64; 32 << 20];
    let part = words.len() / pool.threads() / LANES * LANES;
    let time = fastest(budget, || {
        pool.run(pool.threads(), &|thread| {
            let mut sums = [0u64; LANES];
            for line in words[thread * part..(thread + 1) * part].chunks_exact(LANES) {
                for (sum, word) in sums.iter_mut().zip(line) {
                    *sum = sum.wrapping_add(*word);
                }
            }
            std::hint::black_box(sums);
        });
    });
    (part * pool.threads() * 8) as f64 / time / 1e9
}
