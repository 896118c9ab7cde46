import { expect, test } from 'vitest'
import { referenceBackend } from '../reference/index.js'
import { promptLayout } from './prompt-layout.js'

test('prompts count places, what is behind them counts from 1 at the place of the blank', async () => {
  const backend = referenceBackend()
  const read = (starts?: readonly number[]) => {
    const { visiblePrefix, positions, blockPositions } = promptLayout(
      backend,
      [
        { length: 3, blank: 2 },
        { length: 0, blank: 0 },
      ],
      [5, 2],
      starts,
    )
    return Promise.all(
      [visiblePrefix, positions, blockPositions].map(async (t) => {
        const values = new Int32Array(t.size)
        await backend.read(t.buf, values)
        t.release()
        return [...values]
      }),
    )
  }
  expect(await read()).toEqual([
    [3, 0],
    [0, 1, 2, 2, 2, 0, 0],
    [0, 0, 0, 1, 2, 1, 2],
  ])
  // Rows that go on behind others, as in generation.
  expect(await read([2, 4])).toEqual([
    [3, 0],
    [2, 2, 2, 2, 2, 0, 0],
    [0, 1, 2, 3, 4, 5, 6],
  ])
  expect(backend.memory().buffers).toBe(0)
})
