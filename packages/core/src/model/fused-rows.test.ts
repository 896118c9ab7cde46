import { scope, segments, PackedKv, tensor, type ForwardInput } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { expect, test } from 'vitest'
import { consecutive, fusedRows, grouped, splitFused } from './fused-rows.js'

test('layouts name the rows of a position', () => {
  expect(consecutive(2, 1, 1)).toEqual([[0, 1], [2], [3]])
  // BLOOM: query, key and value of one head side by side.
  expect(grouped(2, 2)).toEqual([
    [0, 3],
    [1, 4],
    [2, 5],
  ])
  // InternLM2: the queries of a key/value head, its key, its value.
  expect(grouped(4, 2)).toEqual([
    [0, 1, 4, 5],
    [2, 6],
    [3, 7],
  ])
})

test('the parts of a fused projection are its rows in the order of the layout', async () => {
  const backend = referenceBackend()
  const parts = scope(() => {
    const all = segments(backend, [2])
    const positions = tensor(backend, [0, 1], [2], 'i32')
    const input: ForwardInput = { positions, segments: all, kv: new PackedKv(all), maxPosition: 2 }
    const fused = tensor(
      backend,
      Float32Array.from({ length: 16 }, (_, i) => i),
      [2, 8],
    )
    return splitFused(fused, fusedRows(input, [[3, 0], [1], [2]]))
  })
  expect(await Promise.all(parts.map(async (part) => [part.shape, [...(await part.read())]]))).toEqual([
    [
      [4, 2],
      [6, 7, 0, 1, 14, 15, 8, 9],
    ],
    [
      [2, 2],
      [2, 3, 10, 11],
    ],
    [
      [2, 2],
      [4, 5, 12, 13],
    ],
  ])
  for (const part of parts) part.release()
  expect(backend.memory().buffers).toBe(0)
  backend.close()
})
