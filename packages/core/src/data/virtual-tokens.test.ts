import { expect, test } from 'vitest'
import { ignoredLabel } from './encode.js'
import { createPacker, packSamples, type PackerOptions, type VirtualRowsOf } from './pack.js'
import { SampleStoreBuilder } from './store/index.js'
import type { Sample } from '../contract/data.js'

const none = { examples: 0, truncated: 0, cutTokens: 0, long: 0, untrained: 0, filtered: 0 }
const beginning = Array.from({ length: 10 }, (_, i) => 100 + i)

/** Ten tokens that all samples begin with, of which the first may be learned, and three behind them, of which the last two are. */
const sample = (id: number, learnsFirst: boolean): Sample => {
  const ids = Int32Array.from([...beginning, id, 1, 2])
  const labels = ids.map((id, i) => (i >= 11 || (i === 0 && learnsFirst) ? id : ignoredLabel))
  return { ids, labels }
}
const samples = [sample(50, true), sample(51, false), sample(52, true)]

const packer = (
  virtualRows: VirtualRowsOf | undefined,
  microBatchTokens: number,
  sharePrefixes = false,
  ranks: Pick<PackerOptions, 'rank' | 'worldSize'> = {},
) => {
  const builder = new SampleStoreBuilder()
  for (const one of samples) builder.add(one)
  return createPacker(builder.build(none), {
    ...{ virtualRows, microBatchTokens, sharePrefixes, seed: 1, shuffle: false, samplesPerStep: 3 },
    ...ranks,
  })
}

test.each([false, true])('virtual rows predict the first token where it is learned (shared: %s)', (share) => {
  const without = packSamples(samples, share)
  expect(without).not.toHaveProperty('firstTargets')
  expect(without.trainedTokens).toBe(6)
  const batch = packSamples(samples, share, undefined, true)
  // One for each sequence; what is shared belongs to no sample.
  expect([...batch.firstTargets!]).toEqual(share ? [-1, 100, -1, 100] : [100, -1, 100])
  expect(batch.trainedTokens).toBe(8)
  expect({ ...batch, firstTargets: undefined, trainedTokens: 6 }).toEqual({
    ...without,
    firstTargets: undefined,
  })

  const one = { rows: 5, copies: 'one' } as const
  const step = packer(one, 1000, share).step()
  expect(step.trainedTokens).toBe(8)
  expect(step.microBatches[0]!.trainedTokens).toBe(8)
  expect(packer(undefined, 1000, share).step().trainedTokens).toBe(6)
  const ranks = [0, 1].map((rank) => packer(one, 1000, share, { rank, worldSize: 2 }).step())
  expect(ranks.map(({ trainedTokens }) => trainedTokens)).toEqual([8, 8])
  const own = ranks.flatMap(({ microBatches }) => microBatches.map(({ trainedTokens }) => trainedTokens))
  expect(own.reduce((a, b) => a + b, 0)).toBe(8)
})

test('virtual rows count as tokens of a micro-batch, once or for every sample', () => {
  const sizes = (virtualRows: VirtualRowsOf | undefined, microBatchTokens: number) =>
    packer(virtualRows, microBatchTokens)
      .step()
      .microBatches.map(({ lengths }) => lengths.length)
  expect(sizes(undefined, 39)).toEqual([3])
  expect(sizes({ rows: 5, copies: 'one' }, 39)).toEqual([2, 1])
  expect(sizes({ rows: 5, copies: 'one' }, 44)).toEqual([3])
  expect(sizes({ rows: 5, copies: 'each' }, 44)).toEqual([2, 1])
  expect(sizes({ rows: 5, copies: 'each' }, 54)).toEqual([3])
  for (const copies of ['one', 'each'] as const)
    expect(() => packer({ rows: 5, copies }, 17)).toThrow(
      /Sample 0 has 13 tokens and 5 virtual ones, a micro-batch takes 17/,
    )
})
