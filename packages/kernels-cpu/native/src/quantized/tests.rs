//! Every instruction set gives the codes, scales and values of the portable loops, on any number of threads.

use super::*;
use crate::gemm::supported;
use crate::isa::Isa;
use crate::pool::Pool;

/// A matrix and its buffers.
struct Held {
    codes: Vec<u8>,
    scales: Vec<f32>,
    groups: Vec<f32>,
}

impl Held {
    fn new(rows: usize, cols: usize) -> Self {
        let n = rows * cols;
        let groups = 1 + n.div_ceil(BLOCK * GROUP);
        Self {
            codes: vec![0xcc; n],
            scales: vec![-7.0; n.div_ceil(BLOCK).max(rows)],
            groups: vec![-7.0; groups],
        }
    }

    fn matrix(&mut self, nf4: bool, rows: usize, cols: usize) -> Matrix {
        let codes = Ptr::to(&mut self.codes);
        let scales = Ptr::to(&mut self.scales);
        if nf4 {
            let groups = Ptr::to(&mut self.groups);
            Matrix::Nf4(Nf4 { n: rows * cols, codes, scales, groups })
        } else {
            Matrix::Int8(Int8 { rows, cols, codes, scales })
        }
    }
}

fn numbers(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7919 % 2003) as f32 / 1001.0 - 1.0) * 10f32.powi((i / 64 % 5) as i32 - 4)).collect()
}

#[test]
fn every_instruction_set_agrees_with_the_portable_one() {
    for (rows, cols) in [(3, 7), (5, 65), (33, 64), (70, 256), (200, 128)] {
        for nf4 in [true, false] {
            let x = numbers(rows * cols);
            let run = |isa, threads| {
                let pool = Pool::new(threads);
                let mut held = Held::new(rows, cols);
                let w = held.matrix(nf4, rows, cols);
                let mut y = vec![0f32; rows * cols];
                // SAFETY: buffers of these sizes; the set was detected.
                unsafe {
                    encode::quantize::<f32>(&pool, isa, w, &x);
                    decode::dequantize::<f32>(&pool, isa, w, y.as_mut_ptr());
                }
                (held.codes, held.scales.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), held.groups, y)
            };
            let expected = run(Isa::Portable, 1);
            let worst = x.iter().zip(&expected.3).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
            assert!(worst < if nf4 { 0.2 } else { 0.005 }, "{rows}x{cols}: {worst}");
            for isa in supported() {
                assert!(run(isa, 2) == expected, "{rows}x{cols} nf4 {nf4} {}", isa.name());
            }
        }
    }
}
