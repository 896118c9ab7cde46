//! GFLOP/s of products, beside the peak of the same instructions without memory. `gemm_bench [threads] [seconds] [cold]`
//! With `cold` every call has another b, which no cache holds.

use ift_kernels_cpu::dtype::FloatDType;
use ift_kernels_cpu::gemm::{GemmParams, choose, gemm};
use ift_kernels_cpu::pool::Pool;
use ift_kernels_cpu::roofs::{fastest, peak};

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
    let cold = args.next().is_some_and(|x| x == "cold");
    let pool = Pool::new(threads);
    let (isa, note) = choose();
    println!("{} on {threads} threads {}", isa.name(), note.unwrap_or(""));
    let shapes: [(&str, usize, usize, usize, bool, bool); 29] = [
        ("forward", 1024, 576, 576, false, true),
        ("forward", 1024, 1536, 576, false, true),
        ("forward", 1024, 576, 1536, false, true),
        ("forward", 1024, 192, 576, false, true),
        ("forward", 256, 2048, 2048, false, true),
        ("forward", 1024, 2048, 2048, false, true),
        ("forward", 1024, 5632, 2048, false, true),
        ("forward", 1024, 2048, 5632, false, true),
        ("head", 256, 49152, 576, false, true),
        ("backward", 1024, 576, 1536, false, false),
        ("backward", 1024, 2048, 2048, false, false),
        ("backward", 1024, 2048, 5632, false, false),
        ("weight gradient", 2048, 2048, 1024, true, false),
        ("tiny", 512, 704, 256, false, true),
        ("smol q", 512, 576, 576, false, true),
        ("smol up", 512, 1536, 576, false, true),
        ("smol down", 512, 576, 1536, false, true),
        ("smol d down", 512, 1536, 576, false, false),
        ("d head", 256, 576, 49152, false, false),
        ("lora down", 1024, 8, 2048, false, true),
        ("lora up", 1024, 2048, 8, false, true),
        ("lora dx", 1024, 8, 2048, false, false),
        ("lora dA", 8, 2048, 1024, true, false),
        ("lora dB", 2048, 8, 1024, true, false),
        ("decode", 1, 2048, 2048, false, true),
        ("decode", 4, 5632, 2048, false, true),
        ("decode", 16, 2048, 5632, false, true),
        ("smol decode", 16, 1536, 576, false, true),
        ("smol decode", 32, 1536, 576, false, true),
    ];
    for dtype in [FloatDType::Bf16, FloatDType::F32, FloatDType::F16] {
        let limit = peak(&pool, isa, dtype, budget);
        println!("\n{:5} peak {limit:.0} GFLOP/s", dtype.name());
        for (what, m, n, k, trans_a, trans_b) in shapes {
            let p = GemmParams {
                m,
                n,
                k,
                trans_a,
                trans_b,
                alpha: 1.0,
                accumulate: false,
                dtype,
                out_dtype: if trans_a { FloatDType::F32 } else { dtype },
            };
            let copies = if cold { (256 << 20) / (n * k * dtype.size()).max(1 << 20) } else { 1 };
            let (a, b) = (values(m * k, dtype), values(copies * n * k, dtype));
            let mut y = vec![0f32; m * n];
            let mut next = 0;
            let time = fastest(budget, || {
                let skip = next * n * k * dtype.size() / 2;
                next = (next + 1) % copies;
                let (a, b) = (a.as_ptr().cast(), b[skip..].as_ptr().cast());
                // SAFETY: operands of these sizes.
                unsafe { gemm(&pool, isa, y.as_mut_ptr().cast(), a, b, std::ptr::null(), &p) };
            });
            let rate = 2.0 * (m * n * k) as f64 / time / 1e9;
            let bytes = ((m * k + n * k) * dtype.size() + m * n * p.out_dtype.size()) as f64;
            println!(
                "{what:16} {m:5} x {n:5} x {k:5}  {:8.3} ms {rate:7.1} GFLOP/s {:5.1} % {:6.1} GB/s",
                time * 1e3,
                100.0 * rate / limit,
                bytes / time / 1e9
            );
        }
    }
}
