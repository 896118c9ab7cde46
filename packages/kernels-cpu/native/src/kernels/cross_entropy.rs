//! Softmax cross-entropy over the vocabulary, loss and gradient in one pass over the logits. The exponentials of each piece
//! of a row are taken against the piece's own maximum while it is in the first-level cache and the next one on its way; the
//! second pass, over what the second-level cache holds, brings them to the row's.

use std::ops::Range;

use ift_kernel_abi::{Code, DType, Error, FloatDType, size};
use napi_derive::napi;

use crate::element::Element;
use crate::isa::{Loop, vectorised};
use crate::math::exp;
use crate::node::{Failure, kernel};
use crate::pool::scratch;
use crate::queue::Context;
use crate::row;
use crate::with_element;

/// Logits of a piece, whose exponentials are summed in f32; such sums are added in f64.
const PIECE: usize = 1024;

/// Exponentials that are summed beside each other.
const LANES: usize = 16;

struct Rows<'a, E, G> {
    loss: *mut f32,
    grad: Option<*mut G>,
    logits: *const E,
    labels: &'a [i32],
    rows: Range<usize>,
    vocab: usize,
    grad_scale: f32,
}

impl<E: Element, G: Element> Loop for Rows<'_, E, G> {
    type Out = ();

    #[inline(always)]
    unsafe fn run<const FMA: bool>(self) {
        let mut x = scratch::<f32>(self.vocab);
        let pieces = self.vocab.div_ceil(PIECE);
        // Of each piece what its exponentials are against, and their sum; then what brings them to the whole row's.
        let (mut bases, mut sums) = (scratch::<f32>(pieces), scratch::<f32>(pieces));
        for r in self.rows {
            let grad = self.grad.map(|grad| unsafe { grad.add(r * self.vocab) });
            let Ok(label) = usize::try_from(self.labels[r]) else {
                unsafe { self.loss.add(r).write(0.0) };
                if let Some(grad) = grad {
                    for i in 0..self.vocab {
                        unsafe { grad.add(i).write(G::store(0.0)) };
                    }
                }
                continue;
            };
            let logits = unsafe { self.logits.add(r * self.vocab) };
            let chosen = unsafe { logits.add(label).read() }.load();
            for (index, piece) in x.chunks_mut(PIECE).enumerate() {
                unsafe { row::load(piece, logits.add(index * PIECE)) };
                // Of a piece without a finite logit all exponentials are zeros, not NaN.
                let base = row::max(piece).max(f32::MIN);
                let mut lanes = [0.0f32; LANES];
                let (blocks, rest) = piece.as_chunks_mut::<LANES>();
                for (nth, block) in blocks.iter_mut().enumerate() {
                    row::fetch(logits.wrapping_add((index + 1) * PIECE + nth * LANES));
                    for (x, lane) in block.iter_mut().zip(&mut lanes) {
                        *x = exp::<FMA>(*x - base);
                        *lane += *x;
                    }
                }
                for (x, lane) in rest.iter_mut().zip(&mut lanes) {
                    *x = exp::<FMA>(*x - base);
                    *lane += *x;
                }
                (bases[index], sums[index]) = (base, row::sum(&lanes));
            }
            let max = row::max(&bases);
            let mut total = 0.0f64;
            for (base, sum) in bases.iter().zip(&*sums) {
                total += f64::from(*sum) * (f64::from(*base) - f64::from(max)).exp();
            }
            let loss = total.ln() + f64::from(max) - f64::from(chosen);
            unsafe { self.loss.add(r).write(loss as f32) };
            if let Some(grad) = grad {
                for (index, piece) in x.chunks_mut(PIECE).enumerate() {
                    let factor = (f64::from(bases[index]) - f64::from(max)).exp() / total;
                    let scale = (f64::from(self.grad_scale) * factor) as f32;
                    for x in piece.iter_mut() {
                        *x *= scale;
                    }
                    if label / PIECE == index {
                        piece[label % PIECE] -= self.grad_scale;
                    }
                    unsafe { row::store(grad.add(index * PIECE), piece) };
                }
            }
        }
    }
}

/// loss f32 [rows]; grad [rows, vocab] or null; logits [rows, vocab]; labels i32 [rows]. grad may be logits.
#[napi]
pub fn cross_entropy(
    device: u32,
    loss: u32,
    grad: Option<u32>,
    logits: u32,
    labels: u32,
    rows: f64,
    vocab: f64,
    grad_scale: f64,
    dtype: u32,
    grad_dtype: u32,
) -> Option<Failure> {
    kernel(device, "crossEntropy", |args| {
        let (rows, vocab) = (size("rows", rows)?, size("vocab", vocab)?);
        let (dtype, grad_dtype) = (FloatDType::from_code(dtype)?, FloatDType::from_code(grad_dtype)?);
        let loss = args.output("loss", loss, &[rows], FloatDType::F32)?;
        let grad = grad.map(|grad| args.output("grad", grad, &[rows, vocab], grad_dtype)).transpose()?;
        let logits = args.input("logits", logits, &[rows, vocab], dtype)?;
        let labels = args.input("labels", labels, &[rows], DType::I32)?;
        let grad_scale = grad_scale as f32;
        Ok(move |context: &Context| {
            let labels = unsafe { labels.slice::<i32>(rows) };
            let outside = |label: &i32| usize::try_from(*label).is_ok_and(|label| label >= vocab);
            if let Some(at) = labels.iter().position(outside) {
                let message = format!("labels[{at}] is {}, the vocabulary has {vocab} entries", labels[at]);
                return Err(Error::new(Code::IndexRange, message));
            }
            context.pool.ranges(rows, row::grain(vocab), |rows| {
                with_element!(dtype, E => with_element!(grad_dtype, G => unsafe {
                    let (loss, grad, logits) = (loss.of(), grad.map(|grad| grad.of()), logits.of());
                    let rows = Rows::<E, G> { loss, grad, logits, labels, rows, vocab, grad_scale };
                    vectorised(context.isa, rows)
                }));
            });
            Ok(())
        })
    })
}
