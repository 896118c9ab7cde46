import { expect, test } from 'vitest'
import { referenceBackend } from '../reference/index.js'
import { promptLayout, type KeysAhead } from './prompt-layout.js'

test('prompts count places, what is behind them counts from 1 at the place of the blank', async () => {
  const backend = referenceBackend()
  const read = (starts?: readonly number[], ahead?: KeysAhead) => {
    const { visiblePrefix, positions, blockPositions } = promptLayout(
      backend,
      [
        { length: 3, blank: 2 },
        { length: 0, blank: 0 },
      ],
      [5, 2],
      starts,
      ahead,
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
  // Behind keys of virtual tokens, which take four places, or none.
  expect(await read(undefined, { keys: 4, shift: 4 })).toEqual([
    [7, 4],
    [4, 5, 6, 6, 6, 4, 4],
    [4, 4, 4, 5, 6, 5, 6],
  ])
  expect(await read([2, 4], { keys: 4, shift: 0 })).toEqual([
    [7, 4],
    [2, 2, 2, 2, 2, 0, 0],
    [0, 1, 2, 3, 4, 5, 6],
  ])
  expect(backend.memory().buffers).toBe(0)
})
