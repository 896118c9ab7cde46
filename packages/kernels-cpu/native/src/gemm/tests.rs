//! Products against f64, on every instruction set that this processor has. Over 400 lines: operands and reference serve all of the tests.

use super::micro::Micro;
use super::{GemmParams, Plus, gemm, gemm_plus, invariant, multiply, supported};
use crate::dtype::FloatDType;
use crate::element::Element;
use crate::isa::Isa;
use crate::pool::Pool;
use crate::with_element;

pub const DTYPES: [FloatDType; 3] = [FloatDType::F32, FloatDType::Bf16, FloatDType::F16];

/// Uniform in [-1, 1), from a splitmix64 sequence.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    pub fn tensor(&mut self, n: usize, dtype: FloatDType) -> Vec<u8> {
        encode(&(0..n).map(|_| self.next()).collect::<Vec<_>>(), dtype)
    }
}

pub fn encode(values: &[f32], dtype: FloatDType) -> Vec<u8> {
    with_element!(dtype, T => {
        let mut bytes = vec![0u8; size_of_val(values) * size_of::<T>() / 4];
        for (i, value) in values.iter().enumerate() {
            // SAFETY: there are bytes for each value.
            unsafe { bytes.as_mut_ptr().cast::<T>().add(i).write_unaligned(T::store(*value)) };
        }
        bytes
    })
}

pub fn decode(bytes: &[u8], dtype: FloatDType) -> Vec<f64> {
    with_element!(dtype, T => {
        (0..bytes.len() / size_of::<T>())
            // SAFETY: an element of the bytes.
            .map(|i| f64::from(unsafe { bytes.as_ptr().cast::<T>().add(i).read_unaligned() }.load()))
            .collect()
    })
}

/// Relative size of one rounding to `dtype`.
pub fn rounding(dtype: FloatDType) -> f64 {
    match dtype {
        FloatDType::F32 => 2f64.powi(-24),
        FloatDType::Bf16 => 2f64.powi(-8),
        FloatDType::F16 => 2f64.powi(-11),
    }
}

fn check(isa: Isa, micro: &Micro, threads: usize, p: &GemmParams, bias: bool, dispatch: bool) {
    check_by(isa, threads, p, bias, |pool, y, a, b, bias| {
        // SAFETY: operands of the sizes of `p`; the set is one of this processor, and the micro-kernel works on it.
        unsafe {
            if dispatch {
                gemm(pool, isa, y, a, b, bias, p);
            } else {
                multiply(pool, isa, micro, y, a, b, bias, p, None);
            }
        }
    });
}

/// Checks what `product` writes to y from a, b and the bias.
fn check_by(
    isa: Isa,
    threads: usize,
    p: &GemmParams,
    bias: bool,
    product: impl Fn(&Pool, *mut u8, *const u8, *const u8, *const u8),
) {
    let mut random = Random((p.m * 7919 + p.n * 104_729 + p.k) as u64);
    let a = random.tensor(p.m * p.k, p.dtype);
    let b = random.tensor(p.k * p.n, p.dtype);
    let bias = bias.then(|| random.tensor(p.n, p.dtype));
    let before = random.tensor(p.m * p.n, p.out_dtype);
    let mut y = before.clone();
    let pointer = bias.as_ref().map_or(std::ptr::null(), |bias| bias.as_ptr());
    product(&Pool::new(threads), y.as_mut_ptr(), a.as_ptr(), b.as_ptr(), pointer);
    let (a, b, before) = (decode(&a, p.dtype), decode(&b, p.dtype), decode(&before, p.out_dtype));
    let bias = bias.map(|bias| decode(&bias, p.dtype));
    let y = decode(&y, p.out_dtype);
    for i in 0..p.m {
        for j in 0..p.n {
            let mut sum = 0.0;
            let mut size = 0.0;
            for q in 0..p.k {
                let left = if p.trans_a { a[q * p.m + i] } else { a[i * p.k + q] };
                let right = if p.trans_b { b[j * p.k + q] } else { b[q * p.n + j] };
                sum += left * right;
                size += (left * right).abs();
            }
            let mut expected = f64::from(p.alpha) * sum;
            if p.accumulate {
                expected += before[i * p.n + j];
            }
            if let Some(bias) = &bias {
                expected += bias[j];
            }
            let bound = 1.01 * rounding(p.out_dtype) * (expected.abs() + 1e-3)
                + f64::from(p.alpha.abs()) * size * 2f64.powi(-23) * (p.k as f64).sqrt().max(4.0)
                + 2f64.powi(-22);
            let error = (y[i * p.n + j] - expected).abs();
            assert!(error <= bound, "{isa:?} {p:?} [{i}, {j}]: {} instead of {expected}", y[i * p.n + j]);
        }
    }
}

const SHAPES: [(usize, usize, usize); 28] = [
    (1, 1, 1),
    (1, 65, 129),
    (2, 64, 250),
    (3, 17, 15),
    (4, 300, 64),
    (6, 70, 99),
    (7, 33, 1),
    (8, 48, 40),
    (14, 32, 2),
    (15, 16, 17),
    (15, 8, 100),
    (16, 16, 16),
    (16, 129, 65),
    (17, 15, 3),
    (29, 150, 166),
    (31, 63, 5),
    (63, 17, 64),
    (63, 8, 300),
    (64, 64, 64),
    (65, 1, 129),
    (65, 3, 250),
    (65, 250, 33),
    (113, 40, 9),
    (129, 65, 63),
    (129, 129, 400),
    (250, 63, 17),
    (250, 16, 96),
    (37, 70, 1700),
];

fn params(
    shape: (usize, usize, usize),
    trans: usize,
    dtype: FloatDType,
    out_dtype: FloatDType,
) -> GemmParams {
    let (m, n, k) = shape;
    let (trans_a, trans_b) = (trans & 1 == 1, trans & 2 == 2);
    GemmParams { m, n, k, trans_a, trans_b, alpha: 1.0, accumulate: false, dtype, out_dtype }
}

#[test]
fn products_of_every_kind_equal_f64() {
    for isa in supported() {
        for dtype in DTYPES {
            for (index, shape) in SHAPES.into_iter().enumerate() {
                for trans in 0..4 {
                    let out = if (index + trans) % 2 == 0 { FloatDType::F32 } else { dtype };
                    let mut p = params(shape, trans, dtype, out);
                    p.accumulate = (index + trans) % 3 == 0;
                    p.alpha = [1.0, -0.5, 2.0][(index + trans) % 3];
                    let threads = 1 + (index + trans) % 3;
                    check(isa, Micro::of(isa, dtype), threads, &p, index % 2 == 0, true);
                    check(isa, Micro::of(isa, dtype), threads, &p, index % 2 == 1, false);
                }
            }
        }
    }
}

/// Rows at a distance of whole pages, and accumulators that are kept while panels come and go.
#[test]
fn deep_products_equal_f64() {
    for isa in supported() {
        for dtype in DTYPES {
            for trans in 0..4 {
                let p = params((20, 256, 2048), trans, dtype, FloatDType::F32);
                check(isa, Micro::of(isa, dtype), 1 + trans % 2, &p, false, false);
            }
        }
    }
}

/// A transposed a of 18 MB is copied in two goes; one that is not is read where it lies, and the sums are the same.
#[test]
fn rows_copied_in_several_goes_have_the_bits_of_rows_read_where_they_lie() {
    let p = params((300, 40, 30_000), 1, FloatDType::Bf16, FloatDType::F32);
    let mut random = Random(3);
    let (a, b) = (random.tensor(p.m * p.k, p.dtype), random.tensor(p.k * p.n, p.dtype));
    let mut turned = vec![0u8; a.len()];
    for q in 0..p.k {
        for i in 0..p.m {
            let (from, to) = (2 * (q * p.m + i), 2 * (i * p.k + q));
            turned[to..to + 2].copy_from_slice(&a[from..from + 2]);
        }
    }
    let run = |a: &[u8], p: &GemmParams| {
        let mut y = vec![0u8; p.m * p.n * 4];
        let null = std::ptr::null();
        // SAFETY: operands of the sizes of `p`.
        unsafe { gemm(&Pool::new(2), Isa::detect(), y.as_mut_ptr(), a.as_ptr(), b.as_ptr(), null, p) };
        y
    };
    assert!(run(&a, &p) == run(&turned, &GemmParams { trans_a: false, ..p }));
}

#[test]
fn an_empty_sum_leaves_bias_and_beta() {
    for accumulate in [false, true] {
        let p = GemmParams { accumulate, ..params((5, 20, 0), 2, FloatDType::Bf16, FloatDType::F32) };
        let isa = Isa::detect();
        check(isa, Micro::of(isa, p.dtype), 2, &p, true, true);
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for dtype in DTYPES {
        for (shape, trans) in [
            ((130, 300, 1600), 2),
            ((8, 700, 900), 2),
            ((900, 8, 200), 1),
            ((300, 12, 640), 2),
            ((30, 333, 70), 2),
        ] {
            let p = params(shape, trans, dtype, FloatDType::F32);
            let mut random = Random(7);
            let a = random.tensor(p.m * p.k, dtype);
            let b = random.tensor(p.k * p.n, dtype);
            let run = |threads| {
                let mut y = vec![0u8; p.m * p.n * 4];
                let pool = Pool::new(threads);
                // SAFETY: operands of the sizes of `p`.
                unsafe {
                    gemm(&pool, Isa::detect(), y.as_mut_ptr(), a.as_ptr(), b.as_ptr(), std::ptr::null(), &p);
                }
                y
            };
            let one = run(1);
            for threads in [2, 3, 7] {
                assert!(one == run(threads), "{p:?} on {threads} threads");
            }
        }
    }
}

/// Also on a processor without AVX-512, on which AMX is none of the supported sets.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
fn the_amx_path_is_right_on_every_processor() {
    super::micro::amx::emulator::install();
    for (index, shape) in SHAPES.into_iter().enumerate() {
        for trans in 0..4 {
            let mut p = params(
                shape,
                trans,
                FloatDType::Bf16,
                if index % 2 == 0 { FloatDType::F32 } else { FloatDType::Bf16 },
            );
            p.accumulate = index % 3 == 0;
            check(Isa::detect(), &super::micro::amx::MICRO, 1 + trans % 2, &p, index % 2 == 0, false);
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_self_test_passes_where_the_instructions_work() {
    for isa in supported() {
        assert!(super::self_test(isa), "{isa:?}");
    }
    if super::micro::amx::permitted() {
        assert_eq!(super::choose(), (Isa::Amx, None));
    }
}

#[test]
fn products_of_an_adapter() {
    let mut cases = Vec::new();
    // Depth of the rank, both layouts of b; the gradients of both factors; odd k, ends of panels, several blocks of k.
    for (m, n) in [(17, 17), (50, 100), (130, 33), (64, 576)] {
        for k in [2, 6, 8, 14, 16] {
            cases.push((m, n, k, false, false));
            cases.push((m, n, k, false, true));
        }
    }
    for rank in [1, 4, 8, 11, 16] {
        for (wide, k) in [(17, 2), (64, 51), (100, 512), (33, 769), (576, 1601)] {
            cases.push((rank, wide, k, true, false));
            cases.push((wide, rank, k, true, false));
        }
    }
    for isa in supported() {
        for &(m, n, k, trans_a, trans_b) in &cases {
            for (out_dtype, accumulate, alpha) in
                [(FloatDType::Bf16, true, 0.75), (FloatDType::F32, false, 1.0), (FloatDType::F32, true, -2.0)]
            {
                let dtype = FloatDType::Bf16;
                let p = GemmParams { m, n, k, trans_a, trans_b, alpha, accumulate, dtype, out_dtype };
                check(isa, Micro::of(isa, dtype), 1 + m % 3, &p, false, true);
            }
        }
    }
}

/// The second product goes along as depth of the first, or by itself where that would round; both are the sum.
#[test]
fn a_second_product_is_added() {
    let pool = Pool::new(2);
    let shapes = [
        (20, 70, 100, 8),
        (33, 64, 1000, 16),
        (40, 40, 66, 3),
        (17, 130, 770, 8),
        (5, 40, 96, 8),
        (40, 70, 100, 64),
        (20, 40, 100, 800),
    ];
    for isa in supported() {
        for (case, &(m, n, k, rank)) in shapes.iter().enumerate() {
            for (dtype, alpha) in [(FloatDType::Bf16, 2.0), (FloatDType::F32, -0.5), (FloatDType::Bf16, 1.7)]
            {
                let mut random = Random(case as u64 + 5);
                let p = GemmParams {
                    alpha: 1.0,
                    accumulate: case % 2 == 1,
                    trans_b: case != 2,
                    ..params((m, n, k), 0, dtype, FloatDType::F32)
                };
                let (a, b) = (random.tensor(m * k, dtype), random.tensor(k * n, dtype));
                let (low, up) = (random.tensor(m * rank, dtype), random.tensor(rank * n, dtype));
                let before = random.tensor(m * n, FloatDType::F32);
                let mut y = before.clone();
                let plus = Plus { a: low.as_ptr(), b: up.as_ptr(), k: rank, alpha };
                let null = std::ptr::null();
                // SAFETY: operands of the sizes of `p` and `plus`; the set is one of this processor.
                unsafe { gemm_plus(&pool, isa, y.as_mut_ptr(), a.as_ptr(), b.as_ptr(), null, &p, &plus) };
                let [a, b, low, up] = [&a, &b, &low, &up].map(|x| decode(x, dtype));
                let (y, before) = (decode(&y, FloatDType::F32), decode(&before, FloatDType::F32));
                let sum = |a: &[f64], b: &[f64], k: usize, i: usize, j: usize| -> f64 {
                    let right = |q| if p.trans_b { b[j * k + q] } else { b[q * n + j] };
                    (0..k).map(|q| a[i * k + q] * right(q)).sum()
                };
                for i in 0..m {
                    for j in 0..n {
                        let base = if p.accumulate { before[i * n + j] } else { 0.0 };
                        let expected =
                            base + sum(&a, &b, k, i, j) + f64::from(alpha) * sum(&low, &up, rank, i, j);
                        let error = (y[i * n + j] - expected).abs();
                        assert!(error < 2e-4 * (1.0 + expected.abs()), "{isa:?} {p:?} {plus:?}: {error}");
                    }
                }
            }
        }
    }
}

/// Each row of a product, with or without a second one, has the bits of that row alone and of every other company.
#[test]
fn invariant_rows_have_the_bits_of_a_row_alone() {
    const MOST: usize = 70;
    let shapes =
        [(1, 5), (7, 129), (17, 64), (33, 65), (64, 16), (67, 576), (9, 1000), (130, 31), (40, 2), (16, 770)];
    for isa in supported() {
        for dtype in DTYPES {
            for (case, &(n, k)) in shapes.iter().enumerate() {
                let out_dtype = if case % 2 == 0 { dtype } else { FloatDType::F32 };
                let alpha = [1.0, -0.7][case % 2];
                let (accumulate, trans_b, rank) = (case % 3 == 0, case != 3, [8, 5, 20][case % 3]);
                let mut random = Random(case as u64 + 11);
                let (a, b) = (random.tensor(MOST * k, dtype), random.tensor(n * k, dtype));
                let (low, up) = (random.tensor(MOST * rank, dtype), random.tensor(n * rank, dtype));
                let (before, bias) = (random.tensor(MOST * n, out_dtype), random.tensor(n, dtype));
                let bias = if case % 2 == 0 { bias.as_ptr() } else { std::ptr::null() };
                let run = |rows: std::ops::Range<usize>, threads, plus: bool| {
                    let part = |x: &[u8]| {
                        let row = x.len() / MOST;
                        x[rows.start * row..rows.end * row].to_vec()
                    };
                    let (a, low, mut y) = (part(&a), part(&low), part(&before));
                    let m = rows.len();
                    let p =
                        GemmParams { m, n, k, trans_a: false, trans_b, alpha, accumulate, dtype, out_dtype };
                    let plus = plus.then_some(Plus { a: low.as_ptr(), b: up.as_ptr(), k: rank, alpha: 1.3 });
                    let (to, pool) = (y.as_mut_ptr(), Pool::new(threads));
                    let (a, b) = (a.as_ptr(), b.as_ptr());
                    // SAFETY: operands of the sizes of `p` and `plus`; the set is one of this processor.
                    unsafe { invariant::gemm_plus(&pool, isa, to, a, b, bias, &p, plus.as_ref()) };
                    y
                };
                for plus in [false, true] {
                    let alone: Vec<u8> = (0..MOST).flat_map(|row| run(row..row + 1, 1, plus)).collect();
                    let row = alone.len() / MOST;
                    for m in 1..=MOST {
                        let first = (m * 13) % (MOST - m + 1);
                        let some = run(first..first + m, 1 + m % 3, plus);
                        let what = format!("{isa:?} {dtype:?} {m}x{n}x{k} plus {plus}");
                        assert!(some == alone[first * row..(first + m) * row], "{what}");
                    }
                }
            }
        }
    }
}

#[test]
fn invariant_products_equal_f64() {
    for isa in supported() {
        for dtype in DTYPES {
            for (index, shape) in SHAPES.into_iter().enumerate() {
                for trans in 0..4 {
                    let out = if (index + trans) % 2 == 0 { FloatDType::F32 } else { dtype };
                    let mut p = params(shape, trans, dtype, out);
                    p.accumulate = (index + trans) % 3 == 0;
                    p.alpha = [1.0, -0.5, 2.0][(index + trans) % 3];
                    let bias = index % 2 == 0;
                    check_by(isa, 1 + (index + trans) % 3, &p, bias, |pool, y, a, b, bias| {
                        // SAFETY: operands of the sizes of `p`; the set is one of this processor.
                        unsafe { invariant::gemm(pool, isa, y, a, b, bias, &p) };
                    });
                }
            }
        }
    }
}
