use super::*;
use crate::dtype::FloatDType;
use crate::element::Bf16;
use crate::element::Element;
use crate::gemm::supported;
use crate::memory::Ptr;

/// An int8 matrix and its memory.
struct Given {
    rows: usize,
    cols: usize,
    codes: Vec<i8>,
    scales: Vec<f32>,
}

impl Given {
    fn of(rows: usize, cols: usize, code: impl Fn(usize) -> i8) -> Self {
        let scales = (0..rows).map(|r| if r % 5 == 3 { 0.0 } else { 0.25 + (r % 7) as f32 }).collect();
        Self { rows, cols, codes: (0..rows * cols).map(code).collect(), scales }
    }

    fn matrix(&mut self) -> Int8 {
        let (codes, scales) = (Ptr::to(&mut self.codes), Ptr::to(&mut self.scales));
        Int8 { rows: self.rows, cols: self.cols, codes, scales }
    }
}

/// Codes of every value that a byte has, -128 among them.
fn mixed(i: usize) -> i8 {
    (i * 37 % 256) as u8 as i8
}

fn number(i: usize) -> f32 {
    ((i * 7919 % 1009) as f32 - 504.0) / 100.0
}

/// x · op(w) in f64, of codes in blocks.
fn expected(x: &[f32], w: &Given, (m, n, k): (usize, usize, usize), trans_b: bool) -> Vec<f64> {
    let mut y = vec![0f64; m * n];
    for i in 0..m {
        for from in (0..k).step_by(BLOCK) {
            let to = (from + BLOCK).min(k);
            let values: Vec<f32> = (from..to)
                .map(|p| x[i * k + p] * if trans_b { 1.0 } else { w.scales[p] * ONE_OVER_127 })
                .collect();
            let most = values.iter().fold(0f32, |a, b| a.max(b.abs()));
            let (factor, scale) =
                if most <= 1e-35 { (0.0, 0.0) } else { (127.0 / most, most * ONE_OVER_127) };
            for j in 0..n {
                let sum: i64 = (from..to)
                    .map(|p| {
                        let code = (values[p - from] * factor).round_ties_even() as i64;
                        code * i64::from(w.codes[if trans_b { j * k + p } else { p * n + j }])
                    })
                    .sum();
                let own = if trans_b { w.scales[j] * ONE_OVER_127 } else { 1.0 };
                y[i * n + j] += f64::from(scale) * sum as f64 * f64::from(own);
            }
        }
    }
    y
}

fn params(m: usize, n: usize, k: usize, trans_b: bool) -> GemmParams {
    let (dtype, out_dtype) = (FloatDType::F32, FloatDType::F32);
    GemmParams { m, n, k, trans_a: false, trans_b, alpha: 1.0, accumulate: false, dtype, out_dtype }
}

fn product(pool: &Pool, micro: &Micro8, x: &[f32], w: &mut Given, p: &GemmParams) -> Vec<f32> {
    let mut y = vec![f32::NAN; p.m * p.n];
    let isa = *supported().last().unwrap();
    let none = std::ptr::null();
    // SAFETY: operands of these sizes; the set and the kernel are of this processor.
    unsafe {
        multiply(pool, isa, micro, y.as_mut_ptr().cast(), x.as_ptr().cast(), &w.matrix(), none, p, None);
    }
    y
}

fn kernels() -> Vec<&'static Micro8> {
    Micro8::all(*supported().last().unwrap()).collect()
}

fn near(found: &[f32], expected: &[f64], label: &str) {
    let most = expected.iter().fold(0f64, |a, b| a.max(b.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let apart = (f64::from(*found) - expected).abs();
        assert!(apart <= 2e-6 * most, "{label} [{i}]: {found} for {expected}");
    }
}

const SHAPES: [(usize, usize, usize); 9] = [
    (1, 1, 1),
    (3, 5, 7),
    (16, 33, 64),
    (9, 17, 65),
    (70, 100, 130),
    (15, 300, 127),
    (40, 31, 1663),
    (8, 48, 3203),
    (129, 64, 192),
];

#[test]
fn every_kernel_gives_the_product_of_codes() {
    let pool = Pool::new(2);
    for (m, n, k) in SHAPES {
        for trans_b in [true, false] {
            let (rows, cols) = if trans_b { (n, k) } else { (k, n) };
            let mut w = Given::of(rows, cols, mixed);
            let x: Vec<f32> = (0..m * k).map(number).collect();
            let expected = expected(&x, &w, (m, n, k), trans_b);
            for micro in kernels() {
                let y = product(&pool, micro, &x, &mut w, &params(m, n, k, trans_b));
                near(&y, &expected, &format!("{} {m}x{n}x{k} {trans_b}", micro.name));
            }
        }
    }
}

#[test]
fn the_largest_codes_neither_saturate_nor_overflow() {
    let pool = Pool::new(1);
    let (m, n, k) = (8, 34, 4096);
    for (x, code) in [(1f32, 127i8), (1.0, -128), (-1.0, 127), (-1.0, -128)] {
        for trans_b in [true, false] {
            let mut w = Given::of(if trans_b { n } else { k }, if trans_b { k } else { n }, |_| code);
            w.scales.fill(127.0);
            for micro in kernels() {
                let y = product(&pool, micro, &vec![x; m * k], &mut w, &params(m, n, k, trans_b));
                let whole = x * f32::from(code) * k as f32;
                assert!(
                    y.iter().all(|y| (y / whole - 1.0).abs() < 1e-6),
                    "{}: {} for {whole}",
                    micro.name,
                    y[0]
                );
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_in_any_company_and_on_any_number_of_threads() {
    let (m, n, k) = (67, 96, 200);
    for trans_b in [true, false] {
        let mut w = Given::of(if trans_b { n } else { k }, if trans_b { k } else { n }, mixed);
        let x: Vec<f32> = (0..m * k).map(number).collect();
        for micro in kernels() {
            let all = product(&Pool::new(3), micro, &x, &mut w, &params(m, n, k, trans_b));
            for row in [0, 13, 66] {
                let x = &x[row * k..(row + 1) * k];
                let alone = product(&Pool::new(1), micro, x, &mut w, &params(1, n, k, trans_b));
                assert_eq!(alone, all[row * n..(row + 1) * n], "{} row {row}", micro.name);
            }
        }
    }
}

#[test]
fn what_is_not_finite_makes_its_row_nan_and_zeros_stay_zeros() {
    let pool = Pool::new(2);
    let (m, n, k) = (20, 40, 150);
    for trans_b in [true, false] {
        let mut w = Given::of(if trans_b { n } else { k }, if trans_b { k } else { n }, mixed);
        w.scales.fill(1.0);
        for (row, value) in [(3, f32::NAN), (7, f32::INFINITY), (11, f32::NEG_INFINITY)] {
            let mut x: Vec<f32> = (0..m * k).map(number).collect();
            x[row * k + 149] = value;
            x[5 * k..6 * k].fill(0.0);
            x[6 * k..7 * k].fill(1e-38);
            for micro in kernels() {
                let y = product(&pool, micro, &x, &mut w, &params(m, n, k, trans_b));
                for (r, y) in y.chunks(n).enumerate() {
                    assert_eq!(y.iter().all(|y| y.is_nan()), r == row, "{} row {r}", micro.name);
                    assert_eq!(y.iter().all(|y| *y == 0.0), r == 5 || r == 6, "{} row {r}", micro.name);
                }
            }
        }
    }
}

#[test]
fn columns_of_scale_zero_are_zero() {
    let pool = Pool::new(1);
    let (m, n, k) = (4, 30, 70);
    let mut w = Given::of(n, k, mixed);
    let x: Vec<f32> = (0..m * k).map(number).collect();
    for micro in kernels() {
        let y = product(&pool, micro, &x, &mut w, &params(m, n, k, true));
        for (i, y) in y.iter().enumerate() {
            assert_eq!(*y == 0.0, i % n % 5 == 3, "{} [{i}]", micro.name);
        }
    }
}

#[test]
fn a_second_product_a_bias_and_what_is_there_are_added_once() {
    let pool = Pool::new(2);
    let (m, n, k, r) = (37, 70, 130, 6);
    for trans_b in [true, false] {
        let mut w = Given::of(if trans_b { n } else { k }, if trans_b { k } else { n }, mixed);
        let to_bits = |x: &[f32]| -> Vec<Bf16> { x.iter().map(|x| Bf16::store(*x)).collect() };
        let loaded = |x: &[Bf16]| -> Vec<f32> { x.iter().map(|x| x.load()).collect() };
        let x = to_bits(&(0..m * k).map(number).collect::<Vec<_>>());
        let low = to_bits(&(0..m * r).map(|i| number(i + 5)).collect::<Vec<_>>());
        let b = to_bits(&(0..n * r).map(|i| number(i + 9)).collect::<Vec<_>>());
        let bias = to_bits(&(0..n).map(number).collect::<Vec<_>>());
        for alpha in [3.0f32, 0.0] {
            let mut expected = expected(&loaded(&x), &w, (m, n, k), trans_b);
            for i in 0..m {
                for j in 0..n {
                    let more: f32 = (0..r)
                        .map(|p| {
                            low[i * r + p].load() * b[if trans_b { j * r + p } else { p * n + j }].load()
                        })
                        .sum();
                    let y = &mut expected[i * n + j];
                    *y = *y * 2.0 + f64::from(alpha * more + bias[j].load()) + 1.0;
                }
            }
            let p = GemmParams {
                alpha: 2.0,
                accumulate: true,
                dtype: FloatDType::Bf16,
                ..params(m, n, k, trans_b)
            };
            let plus = Plus { a: low.as_ptr().cast(), b: b.as_ptr().cast(), k: r, alpha };
            for isa in supported() {
                for micro in Micro8::all(isa) {
                    let mut y = vec![1f32; m * n];
                    let (at, x, bias) = (y.as_mut_ptr().cast(), x.as_ptr().cast(), bias.as_ptr().cast());
                    // SAFETY: operands of these sizes; the set and the kernel are of this processor.
                    unsafe { multiply(&pool, isa, micro, at, x, &w.matrix(), bias, &p, Some(&plus)) };
                    near(&y, &expected, &format!("{} {} {trans_b} {alpha}", isa.name(), micro.name));
                }
            }
        }
    }
}

#[test]
fn a_product_without_depth_is_zero() {
    let mut w = Given::of(9, 0, mixed);
    let pool = Pool::new(1);
    for micro in kernels() {
        assert_eq!(product(&pool, micro, &[], &mut w, &params(4, 9, 0, true)), vec![0.0; 36]);
    }
}
