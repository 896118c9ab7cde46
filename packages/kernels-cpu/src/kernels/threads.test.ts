import { expect, it } from 'vitest'

import { instructionSets, openCpu } from '../index.js'

it.each(instructionSets())('kernels on %s give the same bits on any number of threads', async (isa) => {
  const [rows, cols] = [700, 200]
  const n = rows * cols
  const results: string[] = []
  for (const threads of [1, 2, 5]) {
    const other = openCpu({ isa, threads })
    const [x, s, y] = [other.alloc(4 * n), other.alloc(4 * cols), other.alloc(4)]
    const normed = other.alloc(4 * n)
    other.random(x, n, 'normal', 1, 2, 'f32')
    other.sumRows(s, x, rows, cols, 'f32', 0)
    other.squaredNorm(y, x, n, 'f32', 0)
    other.dropout(x, x, n, 0.5, 3, 4, 'f32')
    other.rmsNorm(normed, other.alloc(4 * rows), x, s, rows, cols, 1e-6, 'f32')
    const [all, sums, norm] = [new Float32Array(n), new Float32Array(cols), new Float32Array(1)]
    await other.read(normed, all)
    await other.read(s, sums)
    await other.read(y, norm)
    results.push(
      Buffer.concat([all, sums, norm].map((values) => Buffer.from(values.buffer))).toString('base64'),
    )
    other.close()
  }
  expect(results[1] === results[0]).toBe(true)
  expect(results[2] === results[0]).toBe(true)
})
