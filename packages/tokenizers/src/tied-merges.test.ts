import { expect, test } from 'vitest'
import { TiedMerges } from './tied-merges.js'

const model = {
  type: 'BPE',
  vocab: { a: 0, b: 1, c: 2, ab: 3, bc: 4, abc: 5 },
  merges: [
    ['b', 'c'],
    ['a', 'b'],
    ['ab', 'c'],
  ],
} as const

const merged = (ties: unknown, ids: number[], apart: (at: number) => boolean = () => false) => {
  const offsets = Int32Array.from(ids.flatMap((_, i) => [i, i + 1]))
  const found = new TiedMerges(model, ties, 'x.json').merge({ ids, offsets }, apart)
  return { ids: [...found.ids], offsets: [...found.offsets] }
}

test('the leftmost of equal rank goes first, and the others by rank', () => {
  expect(merged([], [0, 1, 2])).toEqual({ ids: [0, 4], offsets: [0, 1, 1, 3] })
  expect(merged([[0, 2]], [0, 1, 2])).toEqual({ ids: [5], offsets: [0, 3] })
  expect(merged([[0, 2]], [1, 2, 0, 1])).toEqual({ ids: [4, 3], offsets: [0, 2, 2, 4] })
  expect(merged([[0, 2]], [])).toEqual({ ids: [], offsets: [] })
})

test('nothing goes across a border', () => {
  expect(merged([[0, 2]], [0, 1, 2], (at) => at === 1)).toEqual({ ids: [0, 4], offsets: [0, 1, 1, 3] })
})

test('a long run is no quadratic time', () => {
  const run = {
    type: 'BPE',
    vocab: { a: 0, aa: 1, aaaa: 2 },
    merges: [
      ['a', 'a'],
      ['aa', 'aa'],
    ],
  } as const
  const ids = new Int32Array(400_000)
  const started = performance.now()
  const found = new TiedMerges(run, [[0, 2]], 'x.json').merge(
    { ids, offsets: new Int32Array(2 * ids.length) },
    () => false,
  )
  expect(found.ids.length).toBe(100_000)
  expect(performance.now() - started).toBeLessThan(20_000)
})

test.each([[7], [[[0, 9]]], [[['a', 1]]], [[[-1, 1]]], [['x']]])('ties %j are refused', (ties) => {
  expect(() => new TiedMerges(model, ties, 'x.json')).toThrow(
    expect.objectContaining({
      code: 'IFT_FILE_CORRUPT',
      message: expect.stringContaining('x.json: model.ties') as string,
    }),
  )
})
