//! Softmax cross-entropy over the vocabulary: cross_entropy.cu.

use ift_kernel_abi::{DType, FloatDType, size};
use napi_derive::napi;

use crate::device::address;
use crate::launch::{Context, args};
use crate::node::{Failure, kernel};
use crate::plan::geometry::{Geometry, lanes, narrow};

args! {
    struct CrossEntropyArgs {
        loss: u64,
        grad: u64,
        logits: u64,
        labels: u64,
        error: u64,
        rows: i64,
        vocab: i32,
        grad_scale: f32,
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
        let loss = address(args.output("loss", loss, &[rows], FloatDType::F32)?);
        let grad = grad.map(|grad| args.output("grad", grad, &[rows, vocab], grad_dtype)).transpose()?;
        let grad = grad.map_or(0, address);
        let logits = address(if dtype == grad_dtype {
            args.in_place("logits", logits, &[rows, vocab], dtype)?
        } else {
            args.input("logits", logits, &[rows, vocab], dtype)?
        });
        let labels = address(args.input("labels", labels, &[rows], DType::I32)?);
        // Several blocks on a multiprocessor, so that one reads while another sums.
        let threads = vocab.div_ceil(lanes(dtype, grad_dtype)).next_multiple_of(32).clamp(32, 512) as u32;
        let geometry = Geometry { grid: [narrow("rows", rows)? as u32, 1, 1], block: [threads, 1, 1] };
        let name = format!("ift_cross_entropy_{}_{}", dtype.name(), grad_dtype.name());
        let (rows, vocab, grad_scale) = (rows as i64, narrow("vocab", vocab)?, grad_scale as f32);
        Ok(move |context: &Context| {
            let error = context.error_flag();
            let call = CrossEntropyArgs { loss, grad, logits, labels, error, rows, vocab, grad_scale };
            context.launch(&name, geometry, 0, &call)
        })
    })
}
