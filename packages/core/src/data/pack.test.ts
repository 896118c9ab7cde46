import { describe, expect, test } from 'vitest'
import { ignoredLabel } from './encode.js'
import { createPacker, packSamples, type PackerOptions } from './pack.js'
import { DataRandom, permutation } from './random.js'
import { SampleStoreBuilder, type SampleStore } from './store/index.js'
import type { PackedBatch, Sample } from '../contract/data.js'

const none = { examples: 0, truncated: 0, cutTokens: 0, long: 0, untrained: 0, filtered: 0 }

/** Samples whose first id is their number. */
function randomSamples(count: number, maxLength: number, seed: number): Sample[] {
  const random = new DataRandom('samples', seed)
  return Array.from({ length: count }, (_, number) => {
    const length = 2 + random.below(maxLength - 1)
    const prompt = random.below(length)
    const ids = Int32Array.from({ length }, (_, i) => (i === 0 ? number : random.below(1000)))
    return { ids, labels: ids.map((id, i) => (i >= prompt ? id : ignoredLabel)) }
  })
}
function storeOf(samples: readonly Sample[]): SampleStore {
  const builder = new SampleStoreBuilder()
  for (const sample of samples) builder.add(sample)
  return builder.build(none)
}
/** Numbers of the samples in a batch, after checking that each is laid out as its store has it. */
function numbers(batch: PackedBatch, samples: readonly Sample[]): number[] {
  const found: number[] = []
  let at = 0
  let trained = 0
  for (const length of batch.lengths) {
    const number = batch.ids[at]!
    const { ids, labels } = samples[number]!
    expect(batch.ids.subarray(at, at + length)).toEqual(ids)
    for (let i = 0; i < length; i++) {
      expect(batch.positions[at + i]).toBe(i)
      const target = i + 1 < length && labels[i + 1] !== ignoredLabel ? labels[i + 1] : -1
      expect(batch.targets[at + i]).toBe(target)
      if (target !== -1) trained++
    }
    found.push(number)
    at += length
  }
  expect(batch.ids).toHaveLength(at)
  expect(batch.trainedTokens).toBe(trained)
  return found
}

test('targets stay inside their sequence', () => {
  const batch = packSamples([
    { ids: Int32Array.of(5, 6, 7), labels: Int32Array.of(-100, 6, 7) },
    { ids: Int32Array.of(8, 9), labels: Int32Array.of(8, 9) },
  ])
  expect(batch).toEqual({
    ids: Int32Array.of(5, 6, 7, 8, 9),
    positions: Int32Array.of(0, 1, 2, 0, 1),
    targets: Int32Array.of(6, 7, -1, 9, -1),
    lengths: [3, 2],
    trainedTokens: 3,
  })
})

test('any split into micro-batches and ranks has the same samples and trained tokens', () => {
  const random = new DataRandom('splits', 1)
  for (let round = 0; round < 60; round++) {
    const samples = randomSamples(1 + random.below(60), 40, round)
    const store = storeOf(samples)
    const worldSize = 1 + random.below(5)
    const base = {
      seed: round,
      shuffle: random.below(2) === 0,
      ...(random.below(2) === 0
        ? { samplesPerStep: 1 + random.below(20) }
        : { tokensPerStep: 1 + random.below(300) }),
    }
    const reference = createPacker(store, { ...base, microBatchTokens: 100_000 })
    const ranks = Array.from({ length: worldSize }, (_, rank) =>
      createPacker(store, {
        ...base,
        microBatchTokens: 40 + random.below(100),
        maxSequences: 1 + random.below(9),
        rank,
        worldSize,
      }),
    )
    const seen: number[] = []
    const steps = reference.stepsInEpoch(0)
    for (let step = 0; step < steps; step++) {
      const whole = reference.step()
      const wanted = whole.microBatches.flatMap((batch) => numbers(batch, samples)).sort()
      const parts = ranks.map((packer) => packer.step())
      for (const part of parts) {
        expect(part).toMatchObject({
          epoch: 0,
          samples: whole.samples,
          tokens: whole.tokens,
          trainedTokens: whole.trainedTokens,
          next: whole.next,
        })
        expect(part.localSamples).toBe(
          part.microBatches.reduce((sum, { lengths }) => sum + lengths.length, 0),
        )
      }
      const batches = parts.flatMap(({ microBatches }) => microBatches)
      expect(batches.flatMap((batch) => numbers(batch, samples)).sort()).toEqual(wanted)
      expect(batches.reduce((sum, { trainedTokens }) => sum + trainedTokens, 0)).toBe(whole.trainedTokens)
      expect(whole.microBatches.length).toBeLessThanOrEqual(1)
      seen.push(...wanted)
    }
    expect(seen.sort((a, b) => a - b)).toEqual(samples.map((_, i) => i))
    expect(reference.cursor).toEqual({ epoch: 1, position: 0 })
  }
})

test('budgets hold, and ranks get equal work', () => {
  const samples = randomSamples(2000, 64, 7)
  const store = storeOf(samples)
  for (let rank = 0; rank < 4; rank++) {
    const packer = createPacker(store, {
      microBatchTokens: 256,
      maxSequences: 16,
      seed: 1,
      shuffle: true,
      rank,
      worldSize: 4,
      samplesPerStep: 128,
    })
    for (const step of packer.restOfEpoch()) {
      const own = step.microBatches.reduce((sum, { ids }) => sum + ids.length, 0)
      for (const { ids, lengths } of step.microBatches) {
        expect(ids.length).toBeLessThanOrEqual(256)
        expect(lengths.length).toBeLessThanOrEqual(16)
      }
      expect(own / (step.tokens / 4)).toBeGreaterThan(step.samples === 128 ? 0.95 : 0.8)
      // First fit, longest first: never two micro-batches that would fit into one.
      expect(step.microBatches.length).toBeLessThanOrEqual(
        Math.ceil((2 * own) / 256) + Math.ceil(step.localSamples / 16),
      )
    }
  }
})

describe('steps', () => {
  const store = storeOf(randomSamples(103, 30, 9))
  const options: PackerOptions = { microBatchTokens: 64, seed: 5, shuffle: true, samplesPerStep: 10 }

  test('are known up front, fractions of an epoch too', () => {
    const packer = createPacker(store, options)
    expect([packer.steps(1), packer.steps(2), packer.steps(0.5), packer.steps(1.5)]).toEqual([11, 22, 6, 17])
    const byTokens = createPacker(store, {
      ...options,
      samplesPerStep: undefined,
      tokensPerStep: 200,
    })
    const counted = [...byTokens.restOfEpoch()]
    expect(counted).toHaveLength(byTokens.steps(1))
    for (const { tokens } of counted) expect(tokens).toBeLessThanOrEqual(200)
  })
  test('the last step of an epoch takes what is left', () => {
    const steps = [...createPacker(store, options).restOfEpoch()]
    expect(steps.map(({ samples }) => samples)).toEqual([...Array<number>(10).fill(10), 3])
  })
  test('a cursor continues exactly, over the end of an epoch', () => {
    for (const shuffle of [true, false]) {
      const packer = createPacker(store, { ...options, shuffle })
      const steps = Array.from({ length: 30 }, () => packer.step())
      for (const at of [0, 9, 10, 11, 25]) {
        const resumed = createPacker(store, { ...options, shuffle })
        resumed.seek(
          JSON.parse(JSON.stringify(at === 0 ? { epoch: 0, position: 0 } : steps[at - 1]!.next)) as never,
        )
        expect(Array.from({ length: 30 - at }, () => resumed.step())).toEqual(steps.slice(at))
      }
    }
  })
  test('every epoch has an order of its own, the same for the same seed', () => {
    const first = (seed: number) => {
      const packer = createPacker(store, { ...options, seed })
      const orders = [0, 1].map(() =>
        [...packer.restOfEpoch()].flatMap(({ microBatches }) => microBatches.map(({ ids }) => ids[0])),
      )
      return orders
    }
    const [a, b] = first(1)
    expect(a).not.toEqual(b)
    expect(first(1)).toEqual([a, b])
    expect(first(2)[0]).not.toEqual(a)
  })
  test('more ranks than samples: some have nothing to do', () => {
    const tiny = storeOf(randomSamples(2, 5, 1))
    const steps = [0, 1, 2].map((rank) => createPacker(tiny, { ...options, rank, worldSize: 3 }).step())
    expect(steps.map(({ localSamples }) => localSamples).sort()).toEqual([0, 1, 1])
    expect(new Set(steps.map(({ trainedTokens }) => trainedTokens)).size).toBe(1)
  })
})

test('what cannot be packed is refused', () => {
  const store = storeOf(randomSamples(5, 30, 2))
  const base = { seed: 1, shuffle: true, samplesPerStep: 2 }
  expect(() => createPacker(store, { ...base, microBatchTokens: 4 })).toThrow(/a micro-batch takes 4/)
  expect(() => createPacker(storeOf([]), { ...base, microBatchTokens: 64 })).toThrow(/no sample/)
  expect(() => createPacker(store, { ...base, microBatchTokens: 64, tokensPerStep: 9 })).toThrow(/either/)
  const packer = createPacker(store, { ...base, microBatchTokens: 64 })
  expect(() => packer.seek({ epoch: 0, position: 6 })).toThrow(/does not fit 5 samples/)
  packer.seek({ epoch: 2, position: 5 })
  expect(packer.cursor).toEqual({ epoch: 3, position: 0 })
})

test('orders are permutations without a pattern', () => {
  const order = permutation(1000, 'x', 1)
  expect(Array.from(order).sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i))
  const random = new DataRandom('uniform', 3)
  const counts = new Array<number>(10).fill(0)
  for (let i = 0; i < 100_000; i++) counts[random.below(10)]!++
  // Five standard deviations.
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(475)
})

test('the fullest micro-batch is the one with the most rows of a run', () => {
  const random = new DataRandom('fullest', 1)
  for (let round = 0; round < 40; round++) {
    const store = storeOf(randomSamples(1 + random.below(60), 40, round))
    const worldSize = 1 + random.below(3)
    const options = {
      ...{ seed: round, shuffle: round % 2 === 0, worldSize, rank: random.below(worldSize) },
      microBatchTokens: 40 + random.below(300),
      ...(random.below(2) === 0 ? { samplesPerStep: 1 + random.below(20) } : { tokensPerStep: 300 }),
    }
    const packer = createPacker(store, options)
    packer.step()
    const { cursor } = packer
    const steps = 1 + random.below(12)
    const fullest = packer.fullest(steps)
    expect(packer.cursor).toEqual(cursor)
    const reference = createPacker(store, options)
    const rows = Array.from({ length: steps }, () => reference.step()).flatMap(({ microBatches }) =>
      microBatches.map(({ ids }) => ids.length),
    )
    const most = Math.max(0, ...rows)
    if (most === 0) expect(fullest).toBeNull()
    else {
      expect(fullest!.ids.length).toBeLessThanOrEqual(most)
      expect(fullest!.ids.length).toBeGreaterThan(Math.min(most - 1, 0.99 * options.microBatchTokens))
    }
  }
})

test('where samples share rows the fullest has the most rows left', () => {
  const sample = (...ids: number[]) => ({
    ids: Int32Array.from(ids),
    labels: Int32Array.from(ids, (id, i) => (i < ids.length - 1 ? -100 : id)),
  })
  const begin = Array.from({ length: 60 }, (_, i) => i + 1)
  const alike = [sample(...begin, 9), sample(...begin, 10)]
  const others = [sample(...begin), sample(...begin.toReversed())]
  const options = { seed: 0, shuffle: false, microBatchTokens: 200, samplesPerStep: 2 }
  const packer = createPacker(storeOf([...alike, ...others]), { ...options, sharePrefixes: true })
  expect(packer.fullest(2)!.ids).toHaveLength(120)
  expect(createPacker(storeOf([...alike, ...others]), options).fullest(2)!.ids).toHaveLength(122)
})

test('virtual rows count where the fullest micro-batch is looked for', () => {
  const sample = (length: number, first: number) => {
    const ids = Int32Array.from({ length }, (_, i) => (i === 0 ? first : i))
    return { ids, labels: ids }
  }
  const lengths = [1000, ...new Array<number>(50).fill(20)]
  const store = storeOf(lengths.map(sample))
  const options = { seed: 0, shuffle: false, tokensPerStep: 1000, microBatchTokens: 4096 }
  const fullest = (rows: number, copies: 'one' | 'each', more: Partial<PackerOptions> = {}) =>
    createPacker(store, { ...options, ...more, virtualRows: { rows, copies } }).fullest(2)!.lengths
  // 27 of 20 + 128 rows each are 3996, the long one has 1128.
  expect(fullest(128, 'each')).toEqual(new Array<number>(27).fill(20))
  expect(fullest(1, 'each')).toEqual(new Array<number>(50).fill(20))
  // One copy adds as much to every micro-batch: the first of as many tokens.
  expect(fullest(128, 'one')).toEqual([1000])
  expect(fullest(0, 'each')).toEqual([1000])
  expect(fullest(128, 'each', { maxSequences: 7 })).toEqual([1000])
  expect(fullest(128, 'each', { maxSequences: 8 })).toEqual(new Array<number>(8).fill(20))
  expect(fullest(128, 'each', { worldSize: 2, rank: 1 })).toEqual(new Array<number>(25).fill(20))
})

test('where samples share rows, every sequence of the fullest counts with its virtual rows', () => {
  const sample = (ids: number[]) => ({
    ids: Int32Array.from(ids),
    labels: Int32Array.from(ids, (id, i) => (i < ids.length - 1 ? -100 : id)),
  })
  const begin = Array.from({ length: 60 }, (_, i) => i + 1)
  const apart = [100, 200, 300].map((first) => sample(Array.from({ length: 40 }, (_, i) => first + i)))
  const alike = [91, 92, 93].map((last) => sample([...begin, last]))
  const options = { seed: 0, shuffle: false, microBatchTokens: 1000, samplesPerStep: 3, sharePrefixes: true }
  const fullest = (rows: number, copies: 'one' | 'each') =>
    createPacker(storeOf([...apart, ...alike]), { ...options, virtualRows: { rows, copies } }).fullest(2)!
      .lengths
  // 120 rows of three sequences, or 65 of four.
  expect(fullest(60, 'one')).toEqual([40, 40, 40])
  expect(fullest(50, 'each')).toEqual([40, 40, 40])
  expect(fullest(60, 'each')).toEqual([59, 2, 2, 2])
})
