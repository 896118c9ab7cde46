//! The highest entries of rows, for greedy decoding and sampling.

use ift_kernel_abi::{DType, FloatDType, size, top_count};
use napi_derive::napi;

use crate::element::Element;
use crate::isa::{Loop, vectorised};
use crate::math::exp;
use crate::node::{Failure, kernel};
use crate::pool::scratch;
use crate::queue::Context;
use crate::row;
use crate::with_element;

/// Exponentials summed in f32; such sums are added in f64.
const PIECE: usize = 1024;

/// Entries that are passed over together when none of them is high enough.
const BLOCK: usize = 64;

/// Some rows.
struct Rows<'a, E> {
    values: &'a mut [f32],
    indices: &'a mut [i32],
    log_sum: Option<&'a mut [f32]>,
    x: &'a [E],
    rows: usize,
    cols: usize,
    k: usize,
    scale: f32,
}

/// A whole number in the order of the floats, NaN below all of them and both zeros equal.
#[inline(always)]
fn rank(x: f32) -> u32 {
    let bits = (x + 0.0).to_bits();
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    if x.is_nan() { 0 } else { ordered }
}

/// Rank and column in one number, of which the higher comes first.
#[inline(always)]
fn entry(rank: u32, column: usize) -> u64 {
    u64::from(rank) << 32 | u64::from(!(column as u32))
}

#[inline(always)]
fn column(entry: u64) -> usize {
    !(entry as u32) as usize
}

/// Keeps the k highest entries, in any order; returns the rank of the lowest of them.
fn keep_highest(found: &mut Vec<u64>, k: usize) -> u32 {
    let (_, lowest, _) = found.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
    let lowest = (*lowest >> 32) as u32;
    found.truncate(k);
    lowest
}

/// The k highest entries of a row, highest first.
#[inline(always)]
fn highest(x: &[f32], k: usize, found: &mut Vec<u64>) {
    found.clear();
    // Of equal entries the first counts, so once k are found only a higher one replaces any.
    let mut lowest = None;
    for (b, block) in x.chunks(BLOCK).enumerate() {
        let mut ranks = [0u32; BLOCK];
        let mut most = 0;
        for (r, x) in ranks.iter_mut().zip(block) {
            *r = rank(*x);
            most = most.max(*r);
        }
        if lowest.is_some_and(|lowest| most <= lowest) {
            continue;
        }
        for (i, r) in ranks[..block.len()].iter().enumerate() {
            if lowest.is_none_or(|lowest| *r > lowest) {
                found.push(entry(*r, b * BLOCK + i));
            }
        }
        if found.len() >= 2 * k + BLOCK || lowest.is_none() && found.len() >= k {
            lowest = Some(keep_highest(found, k));
        }
    }
    if found.len() > k {
        keep_highest(found, k);
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
}

impl<E: Element> Loop for Rows<'_, E> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(mut self) {
        let Self { cols, k, scale, .. } = self;
        let mut x = scratch::<f32>(cols);
        let mut found = Vec::with_capacity(2 * k + 2 * BLOCK);
        for r in 0..self.rows {
            row::load(&mut x, &self.x[r * cols..(r + 1) * cols]);
            highest(&x, k, &mut found);
            for (i, entry) in found.iter().enumerate() {
                let column = column(*entry);
                self.values[r * k + i] = x[column];
                self.indices[r * k + i] = column as i32;
            }
            let Some(log_sum) = &mut self.log_sum else { continue };
            let max = x[column(found[0])];
            let mut total = 0.0f64;
            if max > f32::NEG_INFINITY {
                for piece in x.chunks_mut(PIECE) {
                    for x in piece.iter_mut() {
                        *x = exp::<FMA>(scale * (*x - max));
                    }
                    total += f64::from(row::sum(piece));
                }
            }
            let sum = f64::from(scale) * f64::from(max) + total.ln();
            log_sum[r] = sum as f32;
        }
    }
}

/// values f32 [rows, k] and indices i32 [rows, k] of the highest entries of x [rows, cols]; log_sum f32 [rows] or null.
#[napi]
pub fn top_rows(
    device: u32,
    values: u32,
    indices: u32,
    log_sum: Option<u32>,
    x: u32,
    rows: f64,
    cols: f64,
    k: f64,
    scale: f64,
    dtype: u32,
) -> Option<Failure> {
    kernel(device, "topRows", |args| {
        let (rows, cols) = (size("rows", rows)?, size("cols", cols)?);
        let (k, dtype) = (top_count(k, cols)?, FloatDType::from_code(dtype)?);
        let values = args.output("values", values, &[rows, k], FloatDType::F32)?;
        let indices = args.output("indices", indices, &[rows, k], DType::I32)?;
        let log_sum =
            log_sum.map(|log_sum| args.output("logSum", log_sum, &[rows], FloatDType::F32)).transpose()?;
        let x = args.input("x", x, &[rows, cols], dtype)?;
        let scale = scale as f32;
        Ok(move |context: &Context| {
            context.pool.ranges(rows, row::grain(cols), |rows| {
                // SAFETY: outputs of the kernel, which do not overlap; other threads have other rows. The context's instruction set
                // was detected.
                with_element!(dtype, E => unsafe {
                    let x = &x.slice::<E>(context)[row::span(&rows, cols)];
                    let log_sum = log_sum.map(|log_sum| log_sum.part(context, rows.clone()));
                    let highest = row::span(&rows, k);
                    let (values, indices) = (values.part(context, highest.clone()), indices.part(context, highest));
                    let rows = rows.len();
                    vectorised(context.isa, Rows { values, indices, log_sum, x, rows, cols, k, scale })
                });
            });
            Ok(())
        })
    })
}
