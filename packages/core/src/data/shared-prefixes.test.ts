import { expect, test } from 'vitest'
import { ignoredLabel } from './encode.js'
import { packSamples } from './pack.js'
import { prefixGroups } from './shared-prefixes.js'
import type { Sample } from '../contract/data.js'

/** A prompt that is not learned, and an answer that is. */
const sample = (prompt: readonly number[], answer: readonly number[]): Sample => ({
  ids: Int32Array.from([...prompt, ...answer]),
  labels: Int32Array.from([...prompt.map(() => ignoredLabel), ...answer]),
})
const long = Array.from({ length: 20 }, (_, i) => 100 + i)
const other = Array.from({ length: 12 }, (_, i) => 200 + i)

test('samples that begin alike are one group, whatever their order', () => {
  const groups = prefixGroups([
    sample([...long, 1, 2], [3]),
    sample([...other, 5], [6]),
    sample([...long, 1, 4], [5]),
    sample([9], [8, 7]),
    sample([...other, 4], [6]),
    sample([...long, 7], [5]),
  ])
  const found = groups.map(({ samples, shared }) => [samples.length, shared])
  expect(found).toEqual([
    [1, 0],
    [3, 20],
    [2, 12],
  ])
})

test('a longer beginning of a few wins over a shorter one of more when it saves more', () => {
  const deep = [...long, ...other]
  const groups = prefixGroups([
    sample([...deep, 1], [2]),
    sample([...deep, 2], [2]),
    sample([...deep, 3], [2]),
    sample([...long.slice(0, 9), 3], [2]),
  ])
  // Three of 32 tokens save 64, four of 9 save 27.
  expect(groups.map(({ samples, shared }) => [samples.length, shared])).toEqual([
    [1, 0],
    [3, 32],
  ])
})

test('tokens that predict something are never shared', () => {
  // The answers begin alike too; the row before the answer predicts its first token.
  const groups = prefixGroups([sample(long, [1, 2, 3]), sample(long, [1, 2, 4])])
  expect(groups[0]).toMatchObject({ shared: long.length - 1 })
  expect(prefixGroups([sample([], long), sample([], long)]).map(({ shared }) => shared)).toEqual([0, 0])
  // A text of which nothing is learned keeps a row of its own.
  const untrained = { ids: Int32Array.from(long), labels: new Int32Array(20).fill(ignoredLabel) }
  expect(prefixGroups([untrained, untrained])[0]).toMatchObject({ shared: 19 })
})

test('a shared beginning stands once in a batch and the positions go on behind it', () => {
  const batch = packSamples([sample([...other, 1], [2]), sample([...other, 3], [4, 5])], true)
  expect(batch).toEqual({
    ids: Int32Array.from([...other, 1, 2, 3, 4, 5]),
    positions: Int32Array.from([...other.keys(), 12, 13, 12, 13, 14]),
    targets: Int32Array.from([...other.map(() => -1), 2, -1, 4, 5, -1]),
    lengths: [12, 2, 3],
    prefixes: [-1, 0, 0],
    trainedTokens: 3,
  })
  expect(packSamples([sample([1], [2]), sample([3], [4])], true)).not.toHaveProperty('prefixes')
})
