import type { Buf, CrossEntropy } from '../backend.js'
import { IftError } from '../errors.js'
import type { Memory } from './memory.js'

/** loss f32 [rows] and, unless null, grad [rows, vocab] of logits [rows, vocab]. */
export function crossEntropy(
  memory: Memory,
  loss: Buf,
  grad: Buf | null,
  logits: Buf,
  labels: Buf,
  p: CrossEntropy,
): void {
  const { rows, vocab, gradScale, dtype, gradDtype } = p
  const lv = memory.floats(logits, rows * vocab, dtype, 'crossEntropy', 'logits')
  const label = memory.ints(labels, rows, 'crossEntropy', 'labels')
  memory.expect(loss, rows, 'f32', 'crossEntropy', 'loss')
  if (grad !== null) {
    memory.expect(grad, rows * vocab, gradDtype, 'crossEntropy', 'grad')
    if (grad === logits && dtype !== gradDtype) {
      throw new IftError('IFT_ARGUMENT', `crossEntropy: grad is logits, but ${gradDtype} is not ${dtype}`)
    }
  }
  const at = label.findIndex((id) => id >= vocab)
  if (at >= 0) {
    memory.fail(
      new IftError(
        'IFT_INDEX_RANGE',
        `crossEntropy: labels[${at}] is ${label[at]}, the vocabulary has ${vocab}`,
      ),
    )
    return
  }
  const losses = new Float64Array(rows)
  for (let r = 0; r < rows; r++) {
    const row = lv.subarray(r * vocab, (r + 1) * vocab)
    const target = label[r]!
    if (target < 0) {
      row.fill(0)
      continue
    }
    let max = -Infinity
    for (const x of row) max = Math.max(max, x)
    let sum = 0
    for (const x of row) sum += Math.exp(x - max)
    const lse = max + Math.log(sum)
    losses[r] = lse - row[target]!
    for (let c = 0; c < vocab; c++) row[c] = gradScale * (Math.exp(row[c]! - lse) - (c === target ? 1 : 0))
  }
  memory.store(loss, losses, 'f32', 'crossEntropy', 'loss')
  if (grad !== null) memory.store(grad, lv, gradDtype, 'crossEntropy', 'grad')
}
