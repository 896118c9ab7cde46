import { IftError } from '../errors.js'
import { describe, type Tensor } from '../tensor/tensor.js'
import { expectDType, expectRank, expectVector, floatOf, shapeError } from './check.js'

/** The part of a language-model head that a loss needs; every `LinearLike` has it. */
export interface Head {
  readonly inFeatures: number
  readonly outFeatures: number
  /** logits of x [rows, inFeatures], in the dtype of addTo [rows, outFeatures], which they add to. */
  call(x: Tensor, addTo?: Tensor): Tensor
  /** The head for rows `start` up to `end` of the hidden states, where it treats rows differently. */
  forRows?(start: number, end: number): Head
}

const logitsBudget = 64 * 1024 * 1024

/** Checks hidden [M, C] and labels i32 [M] against a head and gives M. */
export function expectHead(op: string, hidden: Tensor, head: Head, labels: Tensor): number {
  floatOf(op, 'hidden', hidden)
  expectRank(op, 'hidden', hidden, 2, '[M, C]')
  if (hidden.shape[1] !== head.inFeatures) {
    throw shapeError(op, `hidden expected [M, ${head.inFeatures}], found ${describe(hidden)}`)
  }
  const rows = hidden.shape[0]!
  expectVector(op, 'labels', labels, rows, hidden)
  expectDType(op, 'labels', labels, 'i32')
  return rows
}

/** Rows per chunk: the number asked for, or even shares of at most 64 MiB of f32 logits and at least 64 rows. */
export function chunkOf(op: string, asked: number | undefined, vocab: number, rows: number): number {
  if (asked === undefined) {
    const most = Math.max(64, Math.floor(logitsBudget / (vocab * 4)))
    const share = rows / Math.ceil(rows / most)
    return Math.min(rows, most, Math.ceil(share / 16) * 16)
  }
  if (!(asked >= 1) || !Number.isInteger(asked)) {
    throw new IftError('IFT_ARGUMENT', `${op}: chunkRows expected a positive integer, found ${asked}`)
  }
  return asked
}

/** Checks what a head made. */
export function expectLogits(op: string, logits: Tensor, rows: number, vocab: number): void {
  if (
    logits.shape.length !== 2 ||
    logits.shape[0] !== rows ||
    logits.shape[1] !== vocab ||
    logits.dtype !== 'f32'
  ) {
    throw shapeError(
      op,
      `the head's logits expected f32 [${rows}, ${vocab}], as addTo, found ${describe(logits)}`,
    )
  }
}
