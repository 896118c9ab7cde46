//! GFLOP/s of attention, counting the visible scores alone. `attention_bench [threads] [seconds]`

use ift_kernels_cpu::attention::{AttentionParams, Mask, PagedParams, backward, forward, paged};
use ift_kernels_cpu::dtype::FloatDType;
use ift_kernels_cpu::gemm::choose;
use ift_kernels_cpu::pool::Pool;
use ift_kernels_cpu::roofs::fastest;

fn values(n: usize, dtype: FloatDType) -> Vec<u16> {
    let one = |i: usize| ((i * 7 % 13) as f32 - 6.0) / 8.0;
    match dtype {
        FloatDType::F32 => (0..n).flat_map(|i| [0, (one(i).to_bits() >> 16) as u16]).collect(),
        FloatDType::Bf16 => (0..n).map(|i| (one(i).to_bits() >> 16) as u16).collect(),
        FloatDType::F16 => (0..n).map(|i| 0x3000 + (i % 1024) as u16).collect(),
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let threads = args.next().and_then(|x| x.parse().ok()).unwrap_or(2);
    let budget = args.next().and_then(|x| x.parse().ok()).unwrap_or(0.3);
    let pool = Pool::new(threads);
    let (isa, _) = choose();
    println!("{} on {threads} threads", isa.name());
    let shapes = [
        (2, 256, 9, 3, 64),
        (8, 128, 9, 3, 64),
        (4, 256, 9, 3, 64),
        (1, 2048, 9, 3, 64),
        (4, 256, 32, 4, 64),
        (1, 2048, 8, 8, 128),
    ];
    for dtype in [FloatDType::Bf16, FloatDType::F32, FloatDType::F16] {
        for (segments, length, heads, kv_heads, head_dim) in shapes {
            let cu: Vec<i32> = (0..=segments).map(|s| s * length).collect();
            let n = (segments * length) as usize;
            let p = AttentionParams {
                cu_q: &cu,
                cu_k: &cu,
                heads,
                kv_heads,
                head_dim,
                scale: 0.125,
                dtype,
                mask: Mask { causal: true, ..Mask::default() },
            };
            let q = values(n * heads * head_dim, dtype);
            let k = values(n * kv_heads * head_dim, dtype);
            let (mut out, mut dq, mut dk, mut dv) = (q.clone(), q.clone(), k.clone(), k.clone());
            let mut lse = vec![0f32; n * heads];
            // SAFETY: tensors of these sizes.
            let there = fastest(budget, || unsafe {
                let (q, k) = (q.as_ptr().cast(), k.as_ptr().cast());
                forward(&pool, isa, out.as_mut_ptr().cast(), lse.as_mut_ptr(), q, k, k, &p);
            });
            // SAFETY: as above.
            let back = fastest(budget, || unsafe {
                let (q, k) = (q.as_ptr().cast(), k.as_ptr().cast());
                let (dq, dk, dv) = (dq.as_mut_ptr().cast(), dk.as_mut_ptr().cast(), dv.as_mut_ptr().cast());
                backward(&pool, isa, dq, dk, dv, q, out.as_ptr().cast(), lse.as_ptr(), q, k, k, &p);
            });
            let scores = f64::from(segments) * f64::from(length) * f64::from(length + 1) / 2.0;
            let work = 2.0 * scores * (heads * head_dim) as f64 / 1e9;
            println!(
                "{:5} {segments} x {length:4} tokens, {heads:2}/{kv_heads} heads of {head_dim:3}: forward {:8.3} ms {:6.1} GFLOP/s, backward {:8.3} ms {:6.1} GFLOP/s",
                dtype.name(),
                there * 1e3,
                2.0 * work / there,
                back * 1e3,
                5.0 * work / back,
            );
        }
        for (segments, keys, heads, kv_heads, head_dim) in [
            (1, 160, 9, 3, 64),
            (2, 160, 9, 3, 64),
            (16, 160, 9, 3, 64),
            (480, 160, 9, 3, 64),
            (1, 512, 9, 3, 64),
            (8, 1024, 32, 4, 64),
        ] {
            let (page_size, n) = (16, segments * keys);
            let cu: Vec<i32> = (0..=segments as i32).collect();
            let table: Vec<i32> = (0..(n / page_size) as i32).collect();
            let p = PagedParams {
                cu_q: &cu,
                kv_lengths: &vec![keys as i32; segments],
                page_table: &table,
                max_pages: keys / page_size,
                page_size,
                heads,
                kv_heads,
                head_dim,
                scale: 0.125,
                dtype,
                mask: Mask { causal: true, ..Mask::default() },
            };
            let q = values(segments * heads * head_dim, dtype);
            let k = values(n * kv_heads * head_dim, dtype);
            let (v, mut out) = (k.clone(), q.clone());
            // SAFETY: tensors of these sizes.
            let time = fastest(budget, || unsafe {
                let (k, v) = (k.as_ptr().cast(), v.as_ptr().cast());
                paged(&pool, isa, false, out.as_mut_ptr().cast(), q.as_ptr().cast(), k, v, &p);
            });
            let bytes = (2 * n * kv_heads * head_dim * dtype.size()) as f64;
            println!(
                "{:5} decode {segments} x {keys:4} keys, {heads:2}/{kv_heads} heads of {head_dim:3}: {:8.3} ms {:6.1} GB/s",
                dtype.name(),
                time * 1e3,
                bytes / time / 1e9
            );
        }
    }
}
