//! Attention and its gradients against f64, on every instruction set that this processor has. Over 400 lines: the table of
//! cases and the reference serve all of the tests.

use super::backward::backward_on;
use super::forward::forward_on;
use super::{AttentionParams, Mask, PagedParams, backward, forward, paged};
use crate::dtype::FloatDType;
use crate::gemm::micro::Micro;
use crate::gemm::supported;
use crate::gemm::tests::{DTYPES, Random, decode, rounding};
use crate::isa::Isa;
use crate::pool::Pool;

struct Case {
    lengths: &'static [(usize, usize)],
    heads: usize,
    kv_heads: usize,
    dim: usize,
    causal: bool,
    prefix: Option<&'static [i32]>,
    alibi: bool,
}

const CASES: [Case; 14] = [
    Case { lengths: &[(1, 1)], heads: 1, kv_heads: 1, dim: 8, causal: true, prefix: None, alibi: false },
    Case { lengths: &[(17, 17)], heads: 2, kv_heads: 2, dim: 64, causal: true, prefix: None, alibi: false },
    Case {
        lengths: &[(3, 3), (65, 65), (1, 1)],
        heads: 4,
        kv_heads: 2,
        dim: 32,
        causal: true,
        prefix: None,
        alibi: false,
    },
    Case {
        lengths: &[(129, 129), (0, 0), (40, 40)],
        heads: 9,
        kv_heads: 3,
        dim: 64,
        causal: true,
        prefix: None,
        alibi: false,
    },
    Case {
        lengths: &[(5, 70), (33, 300), (1, 257)],
        heads: 4,
        kv_heads: 1,
        dim: 40,
        causal: true,
        prefix: None,
        alibi: false,
    },
    Case {
        lengths: &[(30, 64), (63, 15)],
        heads: 2,
        kv_heads: 1,
        dim: 80,
        causal: false,
        prefix: None,
        alibi: false,
    },
    Case {
        lengths: &[(50, 50), (20, 20), (4, 9)],
        heads: 3,
        kv_heads: 3,
        dim: 96,
        causal: true,
        prefix: Some(&[30, 0, 25]),
        alibi: false,
    },
    Case {
        lengths: &[(60, 60), (15, 40)],
        heads: 6,
        kv_heads: 3,
        dim: 16,
        causal: true,
        prefix: None,
        alibi: true,
    },
    // More queries than keys: the first queries see nothing.
    Case {
        lengths: &[(40, 25), (6, 0), (0, 7)],
        heads: 2,
        kv_heads: 1,
        dim: 24,
        causal: true,
        prefix: None,
        alibi: false,
    },
    Case {
        lengths: &[(9, 5)],
        heads: 2,
        kv_heads: 2,
        dim: 128,
        causal: true,
        prefix: Some(&[2]),
        alibi: true,
    },
    Case { lengths: &[(600, 600)], heads: 2, kv_heads: 1, dim: 64, causal: true, prefix: None, alibi: false },
    // Of four key heads the parts of two are computed at a time.
    Case {
        lengths: &[(30, 30), (140, 1030)],
        heads: 8,
        kv_heads: 4,
        dim: 16,
        causal: true,
        prefix: None,
        alibi: false,
    },
    Case {
        lengths: &[(130, 1100), (20, 20)],
        heads: 1,
        kv_heads: 1,
        dim: 33,
        causal: true,
        prefix: Some(&[1000, 3]),
        alibi: true,
    },
    Case { lengths: &[(20, 31)], heads: 1, kv_heads: 1, dim: 256, causal: false, prefix: None, alibi: true },
];

struct Problem {
    cu_q: Vec<i32>,
    cu_k: Vec<i32>,
    slopes: Option<Vec<f32>>,
    q: Vec<u8>,
    k: Vec<u8>,
    v: Vec<u8>,
    dout: Vec<u8>,
}

fn starts(lengths: impl Iterator<Item = usize>) -> Vec<i32> {
    let mut total = 0;
    let mut starts = vec![0];
    for length in lengths {
        total += length as i32;
        starts.push(total);
    }
    starts
}

impl Case {
    fn problem(&self, dtype: FloatDType) -> Problem {
        let cu_q = starts(self.lengths.iter().map(|pair| pair.0));
        let cu_k = starts(self.lengths.iter().map(|pair| pair.1));
        let mut random = Random(self.dim as u64);
        let (nq, nk) = (*cu_q.last().unwrap() as usize, *cu_k.last().unwrap() as usize);
        let q = random.tensor(nq * self.heads * self.dim, dtype);
        let k = random.tensor(nk * self.kv_heads * self.dim, dtype);
        let v = random.tensor(nk * self.kv_heads * self.dim, dtype);
        let dout = random.tensor(nq * self.heads * self.dim, dtype);
        let slopes = self.alibi.then(|| (0..self.heads).map(|h| 0.3 / (h + 1) as f32).collect());
        Problem { cu_q, cu_k, slopes, q, k, v, dout }
    }

    fn params<'a>(&'a self, problem: &'a Problem, dtype: FloatDType) -> AttentionParams<'a> {
        AttentionParams {
            cu_q: &problem.cu_q,
            cu_k: &problem.cu_k,
            heads: self.heads,
            kv_heads: self.kv_heads,
            head_dim: self.dim,
            scale: 1.5 / (self.dim as f32).sqrt(),
            dtype,
            mask: Mask {
                causal: self.causal,
                visible_prefix: self.prefix,
                alibi_slopes: problem.slopes.as_deref(),
            },
        }
    }
}

/// out, lse, dq, dk, dv in f64, one query at a time.
fn reference(p: &AttentionParams<'_>, problem: &Problem) -> [Vec<f64>; 5] {
    let [q, k, v, dout] = [&problem.q, &problem.k, &problem.v, &problem.dout].map(|x| decode(x, p.dtype));
    let (h, kvh, d) = (p.heads, p.kv_heads, p.head_dim);
    let mut out = vec![0.0; q.len()];
    let mut lse = vec![f64::NEG_INFINITY; q.len() / d];
    let (mut dq, mut dk, mut dv) = (vec![0.0; q.len()], vec![0.0; k.len()], vec![0.0; v.len()]);
    for segment in 0..p.cu_q.len() - 1 {
        let (q0, q1) = (p.cu_q[segment] as i64, p.cu_q[segment + 1] as i64);
        let (k0, k1) = (p.cu_k[segment] as i64, p.cu_k[segment + 1] as i64);
        let shift = (k1 - k0) - (q1 - q0);
        for i in 0..q1 - q0 {
            for head in 0..h {
                let row = (q0 + i) as usize * h + head;
                let key = |j: i64| ((k0 + j) as usize * kvh + head / (h / kvh)) * d;
                let visible: Vec<i64> = (0..k1 - k0)
                    .filter(|j| {
                        let prefix = p.mask.visible_prefix.map_or(0, |prefix| i64::from(prefix[segment]));
                        !p.mask.causal || *j <= i + shift || *j < prefix
                    })
                    .collect();
                if visible.is_empty() {
                    continue;
                }
                let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
                let qi = &q[row * d..row * d + d];
                let scores: Vec<f64> = visible
                    .iter()
                    .map(|j| {
                        let slope = p.mask.alibi_slopes.map_or(0.0, |slopes| f64::from(slopes[head]));
                        dot(qi, &k[key(*j)..key(*j) + d]) * f64::from(p.scale)
                            + slope * (j - (i + shift)) as f64
                    })
                    .collect();
                let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = scores.iter().map(|s| (s - max).exp()).sum();
                lse[row] = max + sum.ln();
                let weights: Vec<f64> = scores.iter().map(|s| (s - lse[row]).exp()).collect();
                for (j, w) in visible.iter().zip(&weights) {
                    for e in 0..d {
                        out[row * d + e] += w * v[key(*j) + e];
                    }
                }
                let doi = &dout[row * d..row * d + d];
                let delta = dot(doi, &out[row * d..row * d + d]);
                for (j, w) in visible.iter().zip(&weights) {
                    let ds = w * (dot(doi, &v[key(*j)..key(*j) + d]) - delta) * f64::from(p.scale);
                    for e in 0..d {
                        dv[key(*j) + e] += w * doi[e];
                        dq[row * d + e] += ds * k[key(*j) + e];
                        dk[key(*j) + e] += ds * qi[e];
                    }
                }
            }
        }
    }
    [out, lse, dq, dk, dv]
}

fn close(what: &str, actual: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    let size = expected.iter().filter(|x| x.is_finite()).fold(1.0f64, |size, x| size.max(x.abs()));
    for (i, (x, y)) in actual.iter().zip(expected).enumerate() {
        let good = if y.is_finite() { (x - y).abs() <= tolerance * size } else { x == y };
        assert!(good, "{what}[{i}]: {x} instead of {y}");
    }
}

fn run(isa: Isa, threads: usize, p: &AttentionParams<'_>, problem: &Problem) -> [Vec<u8>; 5] {
    run_on(isa, None, threads, p, problem)
}

fn run_on(
    isa: Isa,
    micro: Option<&Micro>,
    threads: usize,
    p: &AttentionParams<'_>,
    problem: &Problem,
) -> [Vec<u8>; 5] {
    let pool = Pool::new(threads);
    let rows = problem.q.len() / p.dtype.size() / p.head_dim;
    // Filled so that what is not written shows.
    let mut out = vec![0xffu8; problem.q.len()];
    let mut lse = vec![0xffu8; rows * 4];
    let mut dq = vec![0xffu8; problem.q.len()];
    let mut dk = vec![0xffu8; problem.k.len()];
    let mut dv = vec![0xffu8; problem.v.len()];
    let (q, k, v) = (problem.q.as_ptr(), problem.k.as_ptr(), problem.v.as_ptr());
    // SAFETY: tensors of the shapes of `p`; the set is one of this processor, and the micro-kernel works on it.
    unsafe {
        let lse = lse.as_mut_ptr().cast();
        let dout = problem.dout.as_ptr();
        let (out, dq, dk, dv) = (out.as_mut_ptr(), dq.as_mut_ptr(), dk.as_mut_ptr(), dv.as_mut_ptr());
        if let Some(micro) = micro {
            forward_on(&pool, isa, micro, out, lse, q, k, v, p);
            backward_on(&pool, isa, micro, dq, dk, dv, dout, out, lse, q, k, v, p);
        } else {
            forward(&pool, isa, out, lse, q, k, v, p);
            backward(&pool, isa, dq, dk, dv, dout, out, lse, q, k, v, p);
        }
    }
    [out, lse, dq, dk, dv]
}

#[test]
fn out_and_gradients_equal_f64() {
    for dtype in DTYPES {
        for (index, case) in CASES.iter().enumerate() {
            let problem = case.problem(dtype);
            let p = case.params(&problem, dtype);
            let expected = reference(&p, &problem);
            for isa in supported() {
                let actual = run(isa, 1 + index % 3, &p, &problem);
                let tolerance = 4e-6 + 3.0 * rounding(dtype);
                for (i, what) in ["out", "lse", "dq", "dk", "dv"].into_iter().enumerate() {
                    let dtype = if what == "lse" { FloatDType::F32 } else { dtype };
                    let label = format!("{isa:?} {dtype:?} case {index} {what}");
                    close(&label, &decode(&actual[i], dtype), &expected[i], tolerance);
                }
            }
        }
    }
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for dtype in DTYPES {
        for index in [2, 3, 10, 11] {
            let problem = CASES[index].problem(dtype);
            let p = CASES[index].params(&problem, dtype);
            let one = run(Isa::detect(), 1, &p, &problem);
            for threads in [2, 5] {
                assert!(
                    one == run(Isa::detect(), threads, &p, &problem),
                    "case {index} on {threads} threads"
                );
            }
        }
    }
}

#[test]
fn the_gradient_is_the_slope_of_the_output() {
    let case = Case {
        lengths: &[(7, 9), (5, 5)],
        heads: 2,
        kv_heads: 1,
        dim: 8,
        causal: true,
        prefix: Some(&[3, 0]),
        alibi: true,
    };
    let problem = case.problem(FloatDType::F32);
    let p = case.params(&problem, FloatDType::F32);
    let [.., dq, dk, dv] = reference(&p, &problem);
    let loss = |changed: &Problem| -> f64 {
        let [out, ..] = reference(&p, changed);
        out.iter().zip(decode(&problem.dout, FloatDType::F32)).map(|(o, d)| o * d).sum()
    };
    for (which, gradient) in [dq, dk, dv].into_iter().enumerate() {
        for i in (0..gradient.len()).step_by(5) {
            let shifted = |step: f32| {
                let mut other = case.problem(FloatDType::F32);
                let x = [&mut other.q, &mut other.k, &mut other.v].into_iter().nth(which).unwrap();
                let value = decode(&x[4 * i..4 * i + 4], FloatDType::F32)[0] as f32 + step;
                x[4 * i..4 * i + 4].copy_from_slice(&value.to_le_bytes());
                (loss(&other), f64::from(value))
            };
            let ((up, high), (down, low)) = (shifted(1e-3), shifted(-1e-3));
            let slope = (up - down) / (high - low);
            assert!((slope - gradient[i]).abs() < 1e-5, "{which} [{i}]: {slope} and {}", gradient[i]);
        }
    }
}

#[test]
fn pages_hold_the_same_keys() {
    for dtype in DTYPES {
        for (index, case) in CASES.iter().enumerate() {
            let problem = case.problem(dtype);
            let p = case.params(&problem, dtype);
            let [expected, ..] = reference(&p, &problem);
            for isa in supported() {
                for page_size in [1, 16, 48] {
                    let lengths: Vec<usize> = case.lengths.iter().map(|pair| pair.1).collect();
                    let max_pages = lengths.iter().max().unwrap().div_ceil(page_size).max(1);
                    let pages = max_pages * lengths.len();
                    // Pages lie in the pool in reverse order.
                    let table: Vec<i32> = (0..pages as i32).rev().collect();
                    let row = case.kv_heads * case.dim * dtype.size();
                    let spread = |x: &[u8]| {
                        let mut pool = vec![0xffu8; pages * page_size * row];
                        for (segment, start) in problem.cu_k[..lengths.len()].iter().enumerate() {
                            for j in 0..lengths[segment] {
                                let page = table[segment * max_pages + j / page_size] as usize;
                                let to = (page * page_size + j % page_size) * row;
                                let from = (*start as usize + j) * row;
                                pool[to..to + row].copy_from_slice(&x[from..from + row]);
                            }
                        }
                        pool
                    };
                    let (k, v) = (spread(&problem.k), spread(&problem.v));
                    let kv_lengths: Vec<i32> = lengths.iter().map(|length| *length as i32).collect();
                    let pp = PagedParams {
                        cu_q: p.cu_q,
                        kv_lengths: &kv_lengths,
                        page_table: &table,
                        max_pages,
                        page_size,
                        heads: p.heads,
                        kv_heads: p.kv_heads,
                        head_dim: p.head_dim,
                        scale: p.scale,
                        dtype,
                        mask: p.mask,
                    };
                    let run = |invariant, threads| {
                        let mut out = vec![0xffu8; problem.q.len()];
                        let pool = Pool::new(threads);
                        let q = problem.q.as_ptr();
                        // SAFETY: tensors of the shapes of `pp`, and pages of the pools.
                        unsafe {
                            paged(&pool, isa, invariant, out.as_mut_ptr(), q, k.as_ptr(), v.as_ptr(), &pp)
                        };
                        out
                    };
                    for invariant in [false, true] {
                        let out = run(invariant, 1 + index % 3);
                        assert!(out == run(invariant, 4), "case {index} depends on the number of threads");
                        let what = format!("{isa:?} {dtype:?} case {index} invariant {invariant}");
                        close(&what, &decode(&out, dtype), &expected, 4e-6 + 3.0 * rounding(dtype));
                    }
                }
            }
        }
    }
}

/// Every query alone, in chunks of several sizes, and beside other sequences.
#[test]
fn invariant_rows_have_the_bits_of_a_query_alone() {
    // Few and many rows of a key head, elements that fill no register, keys of several blocks.
    let shapes: [(usize, usize, usize, usize, bool, usize); 5] = [
        (9, 3, 64, 70, false, 0),
        (2, 2, 8, 19, true, 0),
        (5, 1, 40, 290, false, 0),
        (40, 2, 16, 33, true, 0),
        (3, 3, 33, 45, false, 20),
    ];
    for isa in supported() {
        for dtype in DTYPES {
            for (heads, kv_heads, dim, keys, alibi, prefix) in shapes {
                let mut random = Random((heads * 31 + keys) as u64);
                let page_size = 16;
                let max_pages = keys.div_ceil(page_size);
                let cached = 3 * max_pages * page_size * kv_heads * dim;
                let (k, v) = (random.tensor(cached, dtype), random.tensor(cached, dtype));
                let q = random.tensor(keys * heads * dim, dtype);
                let slopes: Vec<f32> = (0..heads).map(|head| 0.5f32.powi(1 + head as i32 % 8)).collect();
                // Rows of the queries `range` of the sequence in the middle one of three, between `others` queries of the rest.
                let run = |range: std::ops::Range<usize>, others: [usize; 2], threads| {
                    let row = heads * dim * dtype.size();
                    let queries = [others[0], range.len(), others[1]];
                    let mut rows = vec![0u8; queries.iter().sum::<usize>() * row];
                    for (i, to) in rows.chunks_exact_mut(row).enumerate() {
                        let own = i.wrapping_sub(others[0]);
                        let from = if own < range.len() { range.start + own } else { i % keys };
                        to.copy_from_slice(&q[from * row..(from + 1) * row]);
                    }
                    let bound = |end: usize| if end == 0 { 0 } else { end.max(prefix) as i32 };
                    let (lengths, prefixes) =
                        ([bound(others[0]), range.end as i32, bound(others[1])], [prefix as i32; 3]);
                    let cu_q = starts(queries.into_iter());
                    let table: Vec<i32> = (0..3 * max_pages as i32).rev().collect();
                    let p = PagedParams {
                        cu_q: &cu_q,
                        kv_lengths: &lengths,
                        page_table: &table,
                        max_pages,
                        page_size,
                        heads,
                        kv_heads,
                        head_dim: dim,
                        scale: 0.3,
                        dtype,
                        mask: Mask {
                            causal: true,
                            visible_prefix: (prefix > 0).then_some(&prefixes[..]),
                            alibi_slopes: alibi.then_some(&slopes[..]),
                        },
                    };
                    let mut out = vec![0xffu8; rows.len()];
                    let pool = Pool::new(threads);
                    let (to, k, v) = (out.as_mut_ptr(), k.as_ptr(), v.as_ptr());
                    // SAFETY: tensors of the shapes of `p`, and pages of the pools.
                    unsafe { paged(&pool, isa, true, to, rows.as_ptr(), k, v, &p) };
                    out[others[0] * row..(others[0] + range.len()) * row].to_vec()
                };
                let what = format!("{isa:?} {dtype:?} {heads} of {kv_heads} heads, {dim}, {keys} keys");
                let whole = run(0..keys, [0, 0], 1);
                let first = prefix.max(1);
                let mut alone = run(0..first, [0, 0], 1);
                for query in first..keys {
                    alone.extend(run(query..query + 1, [0, 0], 1));
                }
                assert!(alone == whole, "{what}: one by one");
                for (chunk, others) in [(first.max(7), [3, 1]), (first.max(16), [0, 18]), (keys, [19, 5])] {
                    let mut chunks = Vec::new();
                    for from in (0..keys).step_by(chunk) {
                        chunks.extend(run(from..(from + chunk).min(keys), others, 2));
                    }
                    assert!(chunks == whole, "{what}: chunks of {chunk}");
                }
            }
        }
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
fn the_amx_path_is_right_on_every_processor() {
    crate::gemm::micro::amx::emulator::install();
    let dtype = FloatDType::Bf16;
    for (index, case) in CASES.iter().enumerate() {
        let problem = case.problem(dtype);
        let p = case.params(&problem, dtype);
        let expected = reference(&p, &problem);
        let micro = &crate::gemm::micro::amx::MICRO;
        let actual = run_on(Isa::detect(), Some(micro), 1 + index % 2, &p, &problem);
        for (i, what) in ["out", "lse", "dq", "dk", "dv"].into_iter().enumerate() {
            let dtype = if what == "lse" { FloatDType::F32 } else { dtype };
            let tolerance = 3.0 * rounding(FloatDType::Bf16);
            close(&format!("case {index} {what}"), &decode(&actual[i], dtype), &expected[i], tolerance);
        }
    }
}
