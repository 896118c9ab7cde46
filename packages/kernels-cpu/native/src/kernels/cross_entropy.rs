//! Softmax cross-entropy over the vocabulary, loss and gradient in one pass over the logits. The exponentials of each piece
//! of a row are taken against the piece's own maximum while it is in the first-level cache and the next one on its way; the
//! second pass, over what the second-level cache holds, brings them to the row's.

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

/// Some rows. grad may be logits, so neither is a slice for longer than a piece takes to be read or written.
struct Rows<'a, E, G> {
    loss: &'a mut [f32],
    /// From the first of the rows on, as logits are.
    grad: Option<*mut G>,
    logits: *const E,
    /// Below vocab.
    labels: &'a [i32],
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
        for (r, (to_loss, label)) in self.loss.iter_mut().zip(self.labels).enumerate() {
            // SAFETY: grad holds the rows.
            let grad = self.grad.map(|grad| unsafe { grad.add(r * self.vocab) });
            let Ok(label) = usize::try_from(*label) else {
                *to_loss = 0.0;
                if let Some(grad) = grad {
                    // SAFETY: a row of grad, which other threads leave alone; no slice of logits is left.
                    unsafe { std::slice::from_raw_parts_mut(grad, self.vocab) }.fill(G::store(0.0));
                }
                continue;
            };
            // SAFETY: logits holds the rows.
            let logits = unsafe { self.logits.add(r * self.vocab) };
            // SAFETY: labels lie below vocab.
            let chosen = unsafe { logits.add(label).read() }.load();
            for (index, piece) in x.chunks_mut(PIECE).enumerate() {
                // SAFETY: a piece of the row of logits, which is written to below.
                row::load(piece, unsafe {
                    std::slice::from_raw_parts(logits.add(index * PIECE), piece.len())
                });
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
            *to_loss = loss as f32;
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
                    // SAFETY: a piece of the row of grad, which other threads leave alone; no slice of logits is left.
                    let to = unsafe { std::slice::from_raw_parts_mut(grad.add(index * PIECE), piece.len()) };
                    row::store(to, piece);
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
        let logits = if dtype == grad_dtype {
            args.in_place("logits", logits, &[rows, vocab], dtype)?
        } else {
            args.input("logits", logits, &[rows, vocab], dtype)?.into()
        };
        let labels = args.input("labels", labels, &[rows], DType::I32)?;
        let grad_scale = grad_scale as f32;
        Ok(move |context: &Context| {
            let labels = labels.slice::<i32>(context);
            let outside = |label: &i32| usize::try_from(*label).is_ok_and(|label| label >= vocab);
            if let Some(at) = labels.iter().position(outside) {
                let message = format!("labels[{at}] is {}, the vocabulary has {vocab} entries", labels[at]);
                return Err(Error::new(Code::IndexRange, message));
            }
            context.pool.ranges(rows, row::grain(vocab), |rows| {
                let (labels, first) = (&labels[rows.clone()], rows.start * vocab);
                // SAFETY: the operands hold the rows, and other threads have others; labels were checked, and nothing writes to
                // them. The context's instruction set was detected.
                with_element!(dtype, E => with_element!(grad_dtype, G => unsafe {
                    let loss = loss.part(context, rows);
                    let grad = grad.map(|grad| grad.of::<G>().add(first));
                    let logits = logits.of::<E>().add(first);
                    vectorised(context.isa, Rows { loss, grad, logits, labels, vocab, grad_scale })
                }));
            });
            Ok(())
        })
    })
}
