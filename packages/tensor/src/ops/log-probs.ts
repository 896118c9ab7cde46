import { zeros } from '../tensor/create.js'
import { scope } from '../tensor/scope.js'
import { noGrad } from '../tensor/tape.js'
import { empty, type Tensor } from '../tensor/tensor.js'
import type { TopEntries } from './top-rows.js'
import { chunkOf, expectHead, expectLogits, type Head } from './head.js'

export interface LogProbOptions {
  readonly chunkRows?: number | undefined
}

/**
 * log softmax(head(hidden))[label] of each row, 0 where the label is negative. hidden [M, C], labels i32 [M] -> f32 [M]. In
 * chunks of rows, as `linearCrossEntropy`. Not recorded.
 */
export const logProbs = (hidden: Tensor, head: Head, labels: Tensor, options: LogProbOptions = {}): Tensor =>
  topLogProbs(hidden, head, labels, 0, options).logProbs

/** `logProbs`, and of each row the k highest scores [M, k] with the logarithm of the sum of all exponentials; null for k = 0. */
export function topLogProbs(
  hidden: Tensor,
  head: Head,
  labels: Tensor,
  k: number,
  options: LogProbOptions = {},
): { readonly logProbs: Tensor; readonly top: TopEntries | null } {
  const rows = expectHead('logProbs', hidden, head, labels)
  const vocab = head.outFeatures
  const chunkRows = chunkOf('logProbs', options.chunkRows, vocab, rows)
  const { backend } = hidden
  const y = empty(backend, [rows], 'f32')
  const columns = Math.min(k, vocab)
  const top: TopEntries | null =
    columns === 0
      ? null
      : {
          values: empty(backend, [rows, columns], 'f32'),
          indices: empty(backend, [rows, columns], 'i32'),
          logSum: empty(backend, [rows], 'f32'),
        }
  noGrad(() => {
    for (let start = 0; start < rows; start += chunkRows) {
      const count = Math.min(chunkRows, rows - start)
      scope(() => {
        const x = hidden.rows(start, start + count)
        const part = head.forRows?.(start, start + count) ?? head
        const logits = part.call(x, zeros(backend, [count, vocab], 'f32'))
        expectLogits('logProbs', logits, count, vocab)
        const loss = y.rows(start, start + count)
        const label = labels.rows(start, start + count)
        const p = { rows: count, vocab, gradScale: 1, dtype: 'f32', gradDtype: 'f32' } as const
        backend.crossEntropy(loss.buf, null, logits.buf, label.buf, p)
        if (top === null) return
        const [values, indices, logSum] = [top.values, top.indices, top.logSum!].map(
          (all) => all.rows(start, start + count).buf,
        )
        const highest = { rows: count, cols: vocab, k: columns, scale: 1, dtype: 'f32' } as const
        backend.topRows(values!, indices!, logSum!, logits.buf, highest)
      })
    }
  })
  backend.axpby(y.buf, -1, y.buf, 0, y.buf, rows, 'f32')
  return { logProbs: y, top }
}
