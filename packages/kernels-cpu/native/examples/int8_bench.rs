//! GOP/s of products with int8 weights that multiply in int8, beside bf16 of the same shapes. `int8_bench [threads] [seconds] [kernel]`
//! Every call has other weights, which no cache holds. `kernel`: a name, in the place of the fastest.

use ift_kernels_cpu::dtype::FloatDType;
use ift_kernels_cpu::gemm::{GemmParams, Plus, choose, gemm_plus};
use ift_kernels_cpu::memory::Ptr;
use ift_kernels_cpu::pool::Pool;
use ift_kernels_cpu::quantized::Int8;
use ift_kernels_cpu::quantized::int8::{self, micro::Micro8};
use ift_kernels_cpu::roofs::fastest;

/// Bytes of the weights that calls go through.
const WEIGHTS: usize = 256 << 20;

fn main() {
    let mut args = std::env::args().skip(1);
    let threads = args.next().and_then(|x| x.parse().ok()).unwrap_or(2);
    let budget = args.next().and_then(|x| x.parse().ok()).unwrap_or(0.3);
    let named = args.next();
    let pool = Pool::new(threads);
    let (isa, _) = choose();
    let micro = match &named {
        Some(name) => Micro8::all(isa).find(|micro| micro.name == name).expect("a kernel of this processor"),
        None => Micro8::of(isa),
    };
    println!("{} beside {} on {threads} threads", micro.name, isa.name());
    let value = |i: usize| (((i * 7 % 13) as f32 - 6.0) / 8.0).to_bits() >> 16;
    let mut codes: Vec<u8> = (0..WEIGHTS).map(|i| (i % 251) as u8).collect();
    let mut scales = vec![0.5f32; 1 << 16];
    for (what, m, n, k, trans_b) in [
        ("q, o", 512, 576, 576, true),
        ("k, v", 512, 192, 576, true),
        ("gate, up", 512, 1536, 576, true),
        ("down", 512, 576, 1536, true),
        ("d q, o", 512, 576, 576, false),
        ("d k, v", 512, 576, 192, false),
        ("d gate, up", 512, 576, 1536, false),
        ("d down", 512, 1536, 576, false),
        ("1.1B q, o", 256, 2048, 2048, true),
        ("1.1B gate, up", 256, 5632, 2048, true),
        ("1.1B down", 256, 2048, 5632, true),
        ("1.1B d gate, up", 256, 2048, 5632, false),
        ("1.1B d down", 256, 5632, 2048, false),
    ] {
        let dtype = FloatDType::Bf16;
        let p = GemmParams {
            m,
            n,
            k,
            trans_a: false,
            trans_b,
            alpha: 1.0,
            accumulate: false,
            dtype,
            out_dtype: dtype,
        };
        let x: Vec<u16> = (0..m * k).map(|i| value(i) as u16).collect();
        let low: Vec<u16> = (0..m * 8 + n * 8).map(|i| value(i) as u16).collect();
        let plus = Plus { a: low.as_ptr().cast(), b: low[m * 8..].as_ptr().cast(), k: 8, alpha: 2.0 };
        let mut y = vec![0u16; m * n];
        let (y, x, none) = (y.as_mut_ptr().cast(), x.as_ptr().cast(), std::ptr::null());
        let (rows, cols) = if trans_b { (n, k) } else { (k, n) };
        let mut next = 0;
        let scales = Ptr::to(&mut scales);
        let whole = fastest(budget, || {
            next = if next + 2 * n * k <= WEIGHTS { next } else { 0 };
            let w = Int8 { rows, cols, codes: Ptr::to(&mut codes[next..next + n * k]), scales };
            next += n * k;
            // SAFETY: operands of these sizes.
            unsafe { int8::multiply(&pool, isa, micro, y, x, &w, none, &p, Some(&plus)) };
        });
        let floats = fastest(budget, || {
            next = if next + 4 * n * k <= WEIGHTS { next } else { 0 };
            let w = codes[next..].as_ptr();
            next += 2 * n * k;
            // SAFETY: operands of these sizes; every pair of bytes is a bf16.
            unsafe { gemm_plus(&pool, isa, y, x, w, none, &p, &plus) };
        });
        let rate = |time: f64| 2.0 * (m * n * k) as f64 / time / 1e9;
        println!(
            "{what:16} {m:4} x {n:5} x {k:5}  int8 {:7.3} ms {:6.0} GOP/s   bf16 {:7.3} ms {:6.0} GFLOP/s   ratio {:.2}",
            whole * 1e3,
            rate(whole),
            floats * 1e3,
            rate(floats),
            floats / whole
        );
    }
}
