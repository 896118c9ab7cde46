import { expect, it } from 'vitest'

import { at, close, dtypes, input, onEachInstructionSet } from './kernels.fixture.js'

onEachInstructionSet(({ backend, put, empty, get }) => {
  for (const dtype of dtypes) {
    it(`cross-entropy in ${dtype}`, async () => {
      const [rows, vocab] = [7, 1531]
      const logits = input(rows * vocab, 19, dtype, 20)
      const labels = [3, -1, 0, 1530, -100, 77, 77]
      const [bl, bi, loss] = [put(logits, dtype), put(labels, 'i32'), empty(rows, 'f32')]
      const grads: number[] = []
      const losses = labels.map((label, r) => {
        const row = logits.slice(r * vocab, (r + 1) * vocab)
        const max = Math.max(...row)
        const sum = row.reduce((a, v) => a + Math.exp(v - max), 0)
        grads.push(
          ...row.map((v, c) => (label < 0 ? 0 : 0.5 * (Math.exp(v - max) / sum - (c === label ? 1 : 0)))),
        )
        return label < 0 ? 0 : Math.log(sum) + max - at(row, label)
      })
      const p = { rows, vocab, gradScale: 0.5, dtype, gradDtype: dtype }
      backend.crossEntropy(loss, null, bl, bi, p)
      close(await get(loss, rows, 'f32'), losses, 'f32')
      expect(await get(bl, rows * vocab, dtype)).toEqual(logits)
      backend.crossEntropy(loss, bl, bl, bi, p)
      close(await get(loss, rows, 'f32'), losses, 'f32')
      close(await get(bl, rows * vocab, dtype), grads, dtype)
    })
  }
})
