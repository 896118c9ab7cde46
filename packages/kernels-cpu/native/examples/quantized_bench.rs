//! Products of some rows with quantised weights that no cache holds, in the shapes of the layers of SmolLM2-135M and
//! TinyLlama-1.1B: microseconds, GB/s of the weights as they lie, and the time beside that of one row.
//! `quantized_bench [threads] [seconds] [rows,rows,…] [format,format,…] [rows of w x cols,…]`
//! On one thread the time is that of the processor, which other work changes little.
//! Formats: `nf4`, `int8`, the blocks of GGUF files by their names, and `bf16`: as many numbers, by products with invariant rows.

use std::sync::Arc;

use ift_kernels_cpu::dtype::FloatDType;
use ift_kernels_cpu::element::Bf16;
use ift_kernels_cpu::gemm::store::Output;
use ift_kernels_cpu::gemm::{GemmParams, choose, invariant};
use ift_kernels_cpu::memory::Ptr;
use ift_kernels_cpu::pool::Pool;
use ift_kernels_cpu::quantized::gguf::{Gguf, Kind};
use ift_kernels_cpu::quantized::{BLOCK, GROUP, Int8, Matrix, Nf4, encode, product};
use ift_kernels_cpu::queue::Context;

/// Bytes of weights that are gone through: more than any cache holds.
const COLD: usize = 192 << 20;

/// Seconds of the processor that this thread has had, or of any clock where others compute too.
fn now(threads: usize) -> f64 {
    let clock = if threads == 1 { libc::CLOCK_THREAD_CPUTIME_ID } else { libc::CLOCK_MONOTONIC };
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: room for a time.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn kind(format: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| kind.name() == format)
}

/// Blocks of any codes, whose scales and offsets are small numbers.
fn fill(blocks: &mut [u8], kind: Kind) {
    let (_, bytes) = kind.sizes();
    for (i, byte) in blocks.iter_mut().enumerate() {
        *byte = (i * 7919 % 251) as u8;
    }
    let small = 0x1c00u16.to_le_bytes();
    for block in blocks.chunks_exact_mut(bytes) {
        match kind {
            Kind::Q6K => block[bytes - 2..].copy_from_slice(&small),
            Kind::Q4_1 | Kind::Q5_1 | Kind::Q4K | Kind::Q5K => {
                block[..2].copy_from_slice(&small);
                block[2..4].copy_from_slice(&small);
            }
            _ => block[..2].copy_from_slice(&small),
        }
    }
}

/// The parts of a matrix, as many times as `COLD` asks for.
struct Weights {
    codes: Vec<u8>,
    scales: Vec<f32>,
    groups: Vec<f32>,
    bytes: usize,
    copies: usize,
}

impl Weights {
    fn new(format: &str, rows: usize, cols: usize) -> Self {
        let n = rows * cols;
        let bytes = match format {
            "nf4" => n / 2 + n / BLOCK,
            "int8" => n + 4 * rows,
            _ => kind(format).map_or(2 * n, |kind| n / kind.sizes().0 * kind.sizes().1),
        };
        let copies = COLD.div_ceil(bytes);
        let stride = bytes.next_multiple_of(64);
        Self {
            codes: vec![0; copies * stride],
            scales: vec![0.0; rows.max(n / BLOCK)],
            groups: vec![0.0; 1 + n.div_ceil(BLOCK * GROUP)],
            bytes,
            copies,
        }
    }

    fn at(&mut self, copy: usize) -> *mut u8 {
        let stride = self.bytes.next_multiple_of(64);
        self.codes[copy * stride..].as_mut_ptr()
    }

    fn matrix(&mut self, format: &str, copy: usize, rows: usize, cols: usize) -> Matrix {
        let n = rows * cols;
        let at = self.at(copy) as usize;
        if let Some(kind) = kind(format) {
            return Matrix::Gguf(Gguf { kind, rows, cols, codes: Ptr::new(at, self.bytes) });
        }
        let (codes, scales) = match format {
            "nf4" => (Ptr::new(at, n / 2), Ptr::new(at + n / 2, n / BLOCK)),
            _ => (Ptr::new(at, n), Ptr::to(&mut self.scales)),
        };
        match format {
            "nf4" => Matrix::Nf4(Nf4 { n, codes, scales, groups: Ptr::to(&mut self.groups) }),
            _ => Matrix::Int8(Int8 { rows, cols, codes, scales }),
        }
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let threads = args.next().and_then(|x| x.parse().ok()).unwrap_or(2);
    let budget: f64 = args.next().and_then(|x| x.parse().ok()).unwrap_or(0.3);
    let counts = args.next().unwrap_or_else(|| "1,2,4,8,16,32,256".to_owned());
    let counts: Vec<usize> = counts.split(',').map(|x| x.parse().expect("rows as numbers")).collect();
    let (isa, _) = choose();
    let (pool, profile) = (Pool::new(threads), Arc::default());
    let context = Context { pool, isa, profile, invariant_rows: true };
    println!("{} on {threads} threads", isa.name());
    let formats = args.next().unwrap_or_else(|| "nf4,int8,q4_0,q4_1,q8_0,q4_k,q6_k,bf16".to_owned());
    let shapes = args
        .next()
        .unwrap_or_else(|| "576x576,1536x576,576x1536,192x576,2048x2048,5632x2048,2048x5632".to_owned());
    let shapes: Vec<(usize, usize)> = shapes
        .split(',')
        .map(|shape| {
            let (rows, cols) = shape.split_once('x').expect("a shape as ROWSxCOLS");
            (rows.parse().expect("rows as a number"), cols.parse().expect("columns as a number"))
        })
        .collect();
    for format in formats.split(',') {
        assert!(matches!(format, "nf4" | "int8" | "bf16") || kind(format).is_some(), "no format {format}");
        for &(rows, cols) in &shapes {
            if kind(format).is_some_and(|kind| !cols.is_multiple_of(kind.sizes().0)) {
                continue;
            }
            let mut held = Weights::new(format, rows, cols);
            let noise: Vec<f32> =
                (0..rows * cols).map(|i| ((i * 7919 % 2003) as f32 / 1001.0 - 1.0) * 0.1).collect();
            for copy in 0..held.copies {
                if let Some(kind) = kind(format) {
                    let (stride, bytes) = (held.bytes.next_multiple_of(64), held.bytes);
                    fill(&mut held.codes[copy * stride..][..bytes], kind);
                    continue;
                }
                // SAFETY: buffers of these sizes.
                unsafe {
                    if format == "bf16" {
                        let to = held.at(copy).cast::<u16>();
                        for (i, x) in noise.iter().enumerate() {
                            to.add(i).write_unaligned((x.to_bits() >> 16) as u16);
                        }
                    } else {
                        let w = held.matrix(format, copy, rows, cols);
                        encode::quantize::<f32>(&context.pool, isa, w, &noise);
                    }
                }
            }
            let mut alone = 0.0;
            for &m in &counts {
                let x: Vec<Bf16> = (0..m * cols).map(|i| Bf16((0x3c00 + i * 31 % 900) as u16)).collect();
                let mut y = vec![0u16; m * rows];
                let mut times = Vec::new();
                let (mut copy, start) = (0, std::time::Instant::now());
                while start.elapsed().as_secs_f64() < budget || times.len() < 20 {
                    let at = y.as_mut_ptr().cast();
                    let began = now(threads);
                    // SAFETY: operands of these sizes.
                    unsafe {
                        if format == "bf16" {
                            let p = GemmParams {
                                m,
                                n: rows,
                                k: cols,
                                trans_a: false,
                                trans_b: true,
                                alpha: 1.0,
                                accumulate: false,
                                dtype: FloatDType::Bf16,
                                out_dtype: FloatDType::Bf16,
                            };
                            let (a, b) = (x.as_ptr().cast(), held.at(copy));
                            invariant::gemm(&context.pool, isa, at, a, b, std::ptr::null(), &p);
                        } else {
                            let out = Output {
                                at,
                                ld: rows,
                                transposed: false,
                                dtype: FloatDType::Bf16,
                                alpha: 1.0,
                                add: false,
                                bias: std::ptr::null(),
                                bias_dtype: FloatDType::Bf16,
                            };
                            let w = held.matrix(format, copy, rows, cols);
                            product::product(&context, &out, x.as_ptr(), w, (m, rows, cols));
                        }
                    }
                    times.push(now(threads) - began);
                    copy = (copy + 1) % held.copies;
                }
                let time = median(&mut times);
                if alone == 0.0 {
                    alone = time;
                }
                println!(
                    "{format:4} {m:4} x {rows:5} x {cols:5} {:9.1} us {:6.1} GB/s {:6.2} of one row {:7.1} GFLOP/s",
                    time * 1e6,
                    held.bytes as f64 / time / 1e9,
                    time / alone,
                    2.0 * (m * rows * cols) as f64 / time / 1e9
                );
            }
        }
    }
}
