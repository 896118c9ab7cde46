//! Every instruction set gives the codes, scales and values of the portable loops, on any number of threads; rows of products
//! do not depend on each other where that is asked for.

use std::sync::Arc;

use super::*;
use crate::dtype::FloatDType;
use crate::element::{Bf16, Element};
use crate::gemm::store::Output;
use crate::gemm::supported;
use crate::isa::Isa;
use crate::pool::Pool;
use crate::queue::Context;

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

/// Rows of x: more than are taken in registers, several tiles, several tasks.
const MOST: usize = 70;

/// y [part, rows] of 0.5 + the product of some rows of x, as bits.
fn product_of<E: Element>(
    isa: Isa,
    threads: usize,
    x: &[E],
    w: Matrix,
    part: std::ops::Range<usize>,
    (rows, cols): (usize, usize),
) -> Vec<u32> {
    let context = Context { pool: Pool::new(threads), isa, profile: Arc::default(), invariant_rows: true };
    let mut y = vec![0.5f32; part.len() * rows];
    let out = Output {
        at: y.as_mut_ptr().cast(),
        ld: rows,
        transposed: false,
        dtype: FloatDType::F32,
        alpha: 1.0,
        add: true,
        bias: std::ptr::null(),
        bias_dtype: FloatDType::F32,
    };
    let shape = (part.len(), rows, cols);
    // SAFETY: operands of these sizes; the set was detected.
    unsafe { product::product(&context, &out, x[part.start * cols..].as_ptr(), w, shape) };
    y.into_iter().map(f32::to_bits).collect()
}

/// Each row of a product has the bits of that row alone, in any company.
#[test]
fn rows_have_the_bits_of_a_row_alone() {
    for isa in supported() {
        for (rows, cols) in [(3, 7), (33, 64), (21, 192), (70, 100), (90, 320)] {
            for nf4 in [true, false] {
                let mut held = Held::new(rows, cols);
                let w = held.matrix(nf4, rows, cols);
                // SAFETY: buffers of these sizes; the set was detected.
                unsafe { encode::quantize::<f32>(&Pool::new(1), isa, w, &numbers(rows * cols)) };
                let x = numbers(MOST * cols);
                let rounded: Vec<Bf16> = x.iter().map(|x| Bf16::store(*x)).collect();
                let run = |part: std::ops::Range<usize>, threads, is_bf16| {
                    if is_bf16 {
                        product_of(isa, threads, &rounded, w, part, (rows, cols))
                    } else {
                        product_of(isa, threads, &x, w, part, (rows, cols))
                    }
                };
                for is_bf16 in [false, true] {
                    let alone: Vec<u32> = (0..MOST).flat_map(|row| run(row..row + 1, 1, is_bf16)).collect();
                    for m in 1..=MOST {
                        let first = m * 13 % (MOST - m + 1);
                        let some = run(first..first + m, 1 + m % 3, is_bf16);
                        let what = format!("{isa:?} {m}x{rows}x{cols} nf4 {nf4} bf16 {is_bf16}");
                        assert!(some == alone[first * rows..(first + m) * rows], "{what}");
                    }
                }
            }
        }
    }
}

/// The products are those of the values, in f64, and what is no number spoils its own row and no other.
#[test]
fn products_are_those_of_the_values() {
    for isa in supported() {
        for (rows, cols) in [(3, 7), (33, 64), (40, 576), (70, 100)] {
            for nf4 in [true, false] {
                let mut held = Held::new(rows, cols);
                let w = held.matrix(nf4, rows, cols);
                let mut values = vec![0f32; rows * cols];
                // SAFETY: buffers of these sizes; the set was detected.
                unsafe {
                    encode::quantize::<f32>(&Pool::new(1), isa, w, &numbers(rows * cols));
                    decode::dequantize::<f32>(&Pool::new(1), isa, w, values.as_mut_ptr());
                }
                for m in [1, 5, 16, 40] {
                    let mut x: Vec<Bf16> =
                        (0..m * cols).map(|i| Bf16::store((i * 7919 % 2003) as f32 / 1001.0 - 1.0)).collect();
                    let spoiled = m / 2;
                    x[spoiled * cols + 3] = Bf16::store(f32::NAN);
                    x[cols - 1] = Bf16::store(f32::INFINITY);
                    let floats: Vec<f32> = x.iter().map(|x| x.load()).collect();
                    let found = [
                        product_of(isa, 2, &x, w, 0..m, (rows, cols)),
                        product_of(isa, 2, &floats, w, 0..m, (rows, cols)),
                    ];
                    for (y, of) in found.iter().zip(["bf16", "f32"]) {
                        for (at, y) in y.iter().enumerate() {
                            let (i, r) = (at / rows, at % rows);
                            let pair =
                                |p: usize| (f64::from(floats[i * cols + p]), f64::from(values[r * cols + p]));
                            let exact: f64 = (0..cols).map(pair).map(|(x, w)| x * w).sum();
                            let size: f64 = (0..cols).map(pair).map(|(x, w)| (x * w).abs()).sum();
                            let y = f64::from(f32::from_bits(*y)) - 0.5;
                            let what =
                                format!("{isa:?} {m}x{rows}x{cols} nf4 {nf4} {of} [{i}, {r}]: {y}, {exact}");
                            if exact.is_finite() {
                                assert!(
                                    (y - exact).abs() <= size * if of == "bf16" { 4e-3 } else { 2e-6 } + 1e-6,
                                    "{what}"
                                );
                            } else {
                                // A level of nothing times infinity is no number.
                                assert!(
                                    y.is_nan() == exact.is_nan() && (exact.is_nan() || y == exact),
                                    "{what}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }
}
