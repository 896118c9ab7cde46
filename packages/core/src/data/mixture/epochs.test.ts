import { describe, expect, test } from 'vitest'
import { createPacker } from '../pack.js'
import { DataRandom } from '../random.js'
import { divide } from './amounts.js'
import { interleave } from './interleave.js'
import { mixSamples, type MixtureOptions, type MixturePart } from './mixture.js'
import { firsts, part } from './part.fixture.js'
import { mixtureTable } from './table.js'
import { Turns } from './turns.js'

const options: MixtureOptions = {
  order: 'shuffled',
  seed: 1,
  dedup: false,
  validation: { size: 0, seed: 42 },
}
const timesOf = (values: Iterable<number>) => {
  const times = new Map<number, number>()
  for (const value of values) times.set(value, (times.get(value) ?? 0) + 1)
  return times
}

/** The most by which a beginning of an order holds more or less of a part than its share. */
function farthest(order: Iterable<number>, sizes: readonly number[]): number {
  const all = sizes.reduce((sum, size) => sum + size, 0)
  const held = sizes.map(() => 0)
  let [most, m] = [0, 0]
  for (const part of order) {
    held[part]!++
    m++
    for (let p = 0; p < sizes.length; p++) most = Math.max(most, Math.abs(held[p]! - (m * sizes[p]!) / all))
  }
  expect(held).toEqual(sizes)
  return most
}

describe('turns', () => {
  test('a row comes again only after all others, and never twice in one choice', () => {
    const random = new DataRandom('turns', 1)
    for (let round = 0; round < 60; round++) {
      const count = 1 + random.below(40)
      const rows = { count, length: () => 1, key: ['k', round] }
      const wanted = 1 + random.below(2 * count)
      const turns = new Turns(rows, { rows: wanted })
      const copies = Math.floor(wanted / count)
      const seen = new Int32Array(count)
      for (let epoch = 0; epoch < 12; epoch++) {
        const taken = turns.take(epoch)
        expect(taken).toHaveLength(wanted)
        expect(turns.size(epoch)).toBe(wanted)
        const times = timesOf(taken)
        expect(Math.max(...times.values()) - copies).toBeLessThanOrEqual(1)
        if (copies > 0) expect([times.size, Math.min(...times.values())]).toEqual([count, copies])
        for (const row of taken) seen[row]!++
        expect(Math.max(...seen) - Math.min(...seen)).toBeLessThanOrEqual(1)
      }
    }
  })
  test('an epoch is the same whether others were asked for before or not', () => {
    const rows = { count: 31, length: (row: number) => 1 + (row % 5), key: ['k'] }
    for (const amount of [{ rows: 12 }, { rows: 40 }, { rows: 31, tokens: 29 }, { rows: 93, tokens: 200 }]) {
      const all = new Turns(rows, amount)
      const epochs = Array.from({ length: 9 }, (_, epoch) => all.take(epoch))
      for (const epoch of [8, 3, 4, 0, 7]) {
        expect(new Turns(rows, amount).take(epoch)).toEqual(epochs[epoch])
        expect(all.take(epoch)).toEqual(epochs[epoch])
      }
    }
  })
  test('a budget of tokens holds in every epoch, and the next row would not have fitted', () => {
    const random = new DataRandom('budgets', 1)
    for (let round = 0; round < 100; round++) {
      const count = 2 + random.below(30)
      const lengths = Array.from({ length: count }, () => 1 + random.below(20))
      const all = lengths.reduce((sum, length) => sum + length, 0)
      const tokens = 1 + random.below(2 * all)
      const turns = new Turns(
        { count, length: (row) => lengths[row]!, key: [round] },
        { rows: count, tokens },
      )
      const seen = new Int32Array(count)
      for (let epoch = 0; epoch < 10; epoch++) {
        const taken = turns.take(epoch)
        const used = taken.reduce((sum, row) => sum + lengths[row]!, 0)
        expect(taken).toHaveLength(turns.size(epoch))
        expect(new Set(taken).size).toBe(taken.length)
        if (taken.length > 1) expect(used).toBeLessThanOrEqual(tokens)
        if (taken.length < count) expect(used).toBeGreaterThan(tokens - 20)
        else expect(used).toBe(all)
        for (const row of taken) seen[row]!++
        expect(Math.max(...seen) - Math.min(...seen)).toBeLessThanOrEqual(1)
      }
    }
  })
  test('beside whole copies, rows that fit in the rest of a budget have turns, whatever longer ones there are', () => {
    const random = new DataRandom('rests', 1)
    for (let round = 0; round < 100; round++) {
      const count = 3 + random.below(20)
      const lengths = Array.from({ length: count }, (_, row) => (row < 2 ? 100 : 1 + random.below(20)))
      const all = lengths.reduce((sum, length) => sum + length, 0)
      const copies = 1 + random.below(3)
      const rest = random.below(120)
      const amount = { rows: count * (copies + 1) - 1, tokens: copies * all + rest }
      const turns = new Turns({ count, length: (row) => lengths[row]!, key: [round] }, amount)
      const fitting = lengths.flatMap((length, row) => (length <= rest ? [row] : []))
      const seen = new Int32Array(count)
      for (let epoch = 0; epoch < 2 * count; epoch++) {
        const chosen = turns.take(epoch).subarray(copies * count)
        expect(turns.size(epoch)).toBe(copies * count + chosen.length)
        expect(chosen.reduce((sum, row) => sum + lengths[row]!, 0)).toBeLessThanOrEqual(rest)
        if (fitting.length > 0) expect(chosen.length).toBeGreaterThan(0)
        expect(new Set(chosen).size).toBe(chosen.length)
        for (const row of chosen) seen[row]!++
      }
      const turnsOf = fitting.map((row) => seen[row]!)
      if (fitting.length > 0) expect(Math.min(...turnsOf)).toBeGreaterThan(0)
      if (fitting.length > 0) expect(Math.max(...turnsOf) - Math.min(...turnsOf)).toBeLessThanOrEqual(1)
    }
  })
})

test('in even alternation every beginning holds each part within one sample of its share', () => {
  const random = new DataRandom('interleave', 1)
  const cases = [[1], [5], [0, 3], [1, 1], [1, 1000], [10, 10, 10], [0, 0], [999, 1, 1, 1]]
  for (let round = 0; round < 300; round++)
    cases.push(Array.from({ length: 1 + random.below(9) }, () => random.below(round % 3 === 0 ? 4 : 99)))
  for (const counts of cases) {
    expect(farthest(interleave(counts), counts)).toBeLessThanOrEqual(1)
  }
})

test('divided, a whole number stays whole', () => {
  expect([divide(10, [1, 1, 1]), divide(0, [3, 4]), divide(5, [0, 2]), divide(7, [0, 0])]).toEqual([
    [4, 3, 3],
    [0, 0],
    [0, 5],
    [0, 0],
  ])
})

describe('portions', () => {
  test('shares hold beside what has none', () => {
    const random = new DataRandom('shares', 1)
    for (let round = 0; round < 60; round++) {
      const count = () => 1 + random.below(200)
      const [a, b] = [0.05 + random.below(50) / 100, 0.05 + random.below(40) / 100]
      const rest = count()
      const parts = [
        part('a', 0, count(), { share: a }),
        part('b', 1000, count(), { share: b }),
        part('c', 2000, rest),
      ]
      const { train } = mixSamples(parts, options)
      for (const epoch of [0, 3]) {
        const [ofA, ofB, ofC] = train.sizes(epoch)
        const all = train.size(epoch)
        expect(ofC).toBe(rest)
        expect(Math.abs(ofA! - a * all)).toBeLessThanOrEqual(1)
        expect(Math.abs(ofB! - b * all)).toBeLessThanOrEqual(1)
      }
    }
  })
  test('where all have shares an epoch takes no sample twice, and one part whole', () => {
    const random = new DataRandom('shares', 2)
    for (let round = 0; round < 60; round++) {
      const counts = Array.from({ length: 2 + random.below(4) }, () => 1 + random.below(200))
      const shares = counts.map(() => (1 + random.below(100)) / (100 * counts.length))
      const sum = shares.reduce((all, share) => all + share, 0)
      const { train } = mixSamples(
        counts.map((count, i) => part(`p${i}`, 1000 * i, count, { share: shares[i] })),
        options,
      )
      const all = train.size(0)
      const sizes = train.sizes(0)
      expect(new Set(train.order(0, 1)).size).toBe(all)
      for (const [i, size] of sizes.entries())
        // A share of less than a sample takes one.
        if (size > 1) expect(Math.abs(size - (shares[i]! / sum) * all)).toBeLessThanOrEqual(1)
      // One more sample of the whole would need more than some part has.
      expect(sizes.some((size, i) => size >= counts[i]! - shares[i]! / sum - 1)).toBe(true)
    }
  })
  test('of one set a share is all of it; an entry with a share and without a sample is refused', () => {
    expect(mixSamples([part('a', 0, 9, { share: 0.3 })], options).train.sizes(0)).toEqual([9])
    // A set without one that asks for nothing leaves all to the others.
    const shared = [part('a', 0, 0), part('b', 0, 8, { share: 0.5 }), part('c', 9, 8, { share: 0.25 })]
    expect(mixSamples(shared, options).train.sizes(0)).toEqual([0, 8, 4])
    const half = { share: 0.5 }
    const refused = (parts: readonly MixturePart[], why: string, more: Partial<MixtureOptions> = {}) => {
      expect(() => mixSamples(parts, { ...options, ...more })).toThrow(
        expect.objectContaining({
          code: 'IFT_DATA_EMPTY',
          message: expect.stringContaining(
            `has nothing to train on: expected samples, found 0 (${why}).`,
          ) as string,
        }),
      )
    }
    refused([part('a', 0, 9), part('b', 0, 0, half)], 'there is no record')
    refused([part('b', 0, 0, { share: 1 })], 'there is no record')
    refused(
      [part('a', 0, 9), { ...part('b', 0, 0, half), dropped: 2, leftOut: 1000 }],
      '2 dropped, 1,000 left out by dedup or decontaminate',
    )
    refused([part('a', 0, 9), part('b', 3, 4, half)], '4 with the tokens of earlier ones', { dedup: true })
    refused([part('a', 0, 1), part('b', 1, 1, half)], '1 held out for validation', {
      validation: { size: 1, seed: 1 },
    })
    // Of an entry of several sets one may be empty.
    const entry = [part('a', 0, 0, half), part('b', 0, 4, half)].map((one) => ({ ...one, entry: 0 }))
    expect(mixSamples([...entry, part('c', 9, 4)], options).train.sizes(0)).toEqual([0, 4, 4])
    refused(
      [...entry.map((one) => ({ ...one, samples: entry[0]!.samples })), part('c', 9, 4)],
      'there is no record',
    )
  })
  test('a cap, tokens and a share are divided among the parts of an entry', () => {
    const two = (portion: object) => [
      { ...part('a', 0, 30, portion), entry: 0 },
      { ...part('b', 100, 10, portion), entry: 0 },
      { ...part('c', 200, 20), entry: 1 },
    ]
    const sizes = (portion: object) => mixSamples(two(portion), options).train.sizes(0)
    expect(sizes({ cap: 8 })).toEqual([6, 2, 20])
    expect(sizes({ cap: 500 })).toEqual([30, 10, 20])
    expect(sizes({ tokens: 24 })).toEqual([6, 2, 20])
    expect(sizes({ tokens: 120 })).toEqual([30, 10, 20])
    expect(sizes({ share: 0.5 })).toEqual([15, 5, 20])
    expect(sizes({ weight: 2, cap: 60 })).toEqual([45, 15, 20])
  })
  test('a budget of tokens also bounds what a weight takes', () => {
    const sizes = (portion: object) => mixSamples([part('a', 0, 10, portion)], options).train.sizes(0)
    expect(sizes({ weight: 3, tokens: 75 })).toEqual([25])
    expect(sizes({ tokens: 1 })).toEqual([1])
    expect(sizes({ weight: 0.5, tokens: 1000 })).toEqual([5])
  })
})

describe('epochs of a mixture', () => {
  const parts = () => [
    part('a', 0, 40, { weight: 0.25 }),
    part('b', 100, 30, { cap: 10 }),
    part('c', 200, 20, { tokens: 40 }, 20, (i) => 2 + (i % 7)),
    part('d', 300, 7, { share: 0.3 }),
    part('e', 400, 5, { weight: 2 }),
  ]
  test('cover every sample, each as an order of what is taken, the same every time', () => {
    for (const order of ['shuffled', 'sequential', 'interleaved'] as const)
      for (const seed of [null, 3]) {
        const { train } = mixSamples(parts(), { ...options, order })
        const again = mixSamples(parts(), { ...options, order }).train
        const seen = new Set<number>()
        const orders: string[] = []
        for (let epoch = 0; epoch < 8; epoch++) {
          const samples = train.order(epoch, seed)
          expect(samples).toHaveLength(train.size(epoch))
          const sizes = parts().map(() => 0)
          for (const sample of samples) {
            seen.add(sample)
            sizes[train.partOf(sample)]!++
          }
          expect(sizes).toEqual(train.sizes(epoch))
          orders.push(samples.join())
        }
        expect(seen.size).toBe(train.count)
        expect(new Set(orders).size).toBe(8)
        expect(again.order(7, seed).join()).toBe(orders[7])
        expect(again.order(2, seed).join()).toBe(orders[2])
      }
  })
  test("interleaved, every step holds the parts by their shares, and their order is the seed's", () => {
    const { train } = mixSamples(parts(), { ...options, order: 'interleaved' })
    for (const epoch of [0, 1, 5]) {
      const sizes = train.sizes(epoch)
      const [plain, seeded] = [train.order(epoch, null), train.order(epoch, 1)]
      expect(Array.from(seeded, (sample) => train.partOf(sample))).toEqual(
        Array.from(plain, (sample) => train.partOf(sample)),
      )
      expect([...seeded].sort()).toEqual([...plain].sort())
      expect(seeded).not.toEqual(plain)
      expect(
        farthest(
          Array.from(seeded, (sample) => train.partOf(sample)),
          sizes,
        ),
      ).toBeLessThanOrEqual(1)
    }
  })
  test('a cursor continues exactly in a later epoch, and ranks share the same steps', () => {
    for (const order of ['shuffled', 'interleaved'] as const)
      for (const step of [{ samplesPerStep: 9 }, { tokensPerStep: 30 }]) {
        const view = () => mixSamples(parts(), { ...options, order }).train
        const packing = { microBatchTokens: 16, seed: 5, shuffle: true, ...step }
        const packer = createPacker(view(), packing)
        const steps = Array.from({ length: 60 }, () => packer.step())
        const later = steps.findIndex(({ next }) => next.epoch === 3 && next.position > 9)
        expect(later).toBeGreaterThan(10)
        const resumed = createPacker(view(), packing)
        resumed.seek(JSON.parse(JSON.stringify(steps[later]!.next)) as never)
        expect(Array.from({ length: 59 - later }, () => resumed.step())).toEqual(steps.slice(later + 1))
        const ranks = [0, 1].map((rank) => createPacker(view(), { ...packing, rank, worldSize: 2 }))
        for (const whole of steps) {
          const shared = ranks.map((one) => one.step())
          for (const { samples, tokens, trainedTokens, next } of shared)
            expect({ samples, tokens, trainedTokens, next }).toEqual({
              ...{ samples: whole.samples, tokens: whole.tokens },
              ...{ trainedTokens: whole.trainedTokens, next: whole.next },
            })
          const rows = shared.map(({ microBatches }) => microBatches.flatMap(({ ids }) => [...ids]))
          expect(rows.flat().sort()).toEqual(whole.microBatches.flatMap(({ ids }) => [...ids]).sort())
          // Longest first to the lightest: the ranks differ by one sample at most.
          expect(Math.abs(rows[0]!.length - rows[1]!.length)).toBeLessThanOrEqual(8)
        }
      }
  })
  test('steps and the end of a run are known before it begins', () => {
    for (const step of [{ samplesPerStep: 9 }, { tokensPerStep: 30 }]) {
      const { train } = mixSamples(parts(), options)
      const packer = createPacker(train, { microBatchTokens: 16, seed: 5, shuffle: true, ...step })
      const counted = packer.steps(3)
      expect(packer.endOf(counted)).toEqual({ epoch: 3, position: 0 })
      const wanted = counted - 2
      const end = packer.endOf(wanted)
      for (let i = 0; i < wanted; i++) packer.step()
      expect(packer.cursor).toEqual(end)
      for (let i = 0; i < 2; i++) packer.step()
      expect(packer.cursor).toEqual({ epoch: 3, position: 0 })
    }
  })
})

test('the table counts what a run sees of each set', () => {
  const mixture = mixSamples(
    [part('a', 0, 30, {}, 20), part('b', 5, 40, { weight: 0.25 }), part('c', 100, 10, { weight: 2 })],
    { ...options, dedup: true, validation: { size: 5, seed: 1 } },
  )
  const packer = createPacker(mixture.train, {
    ...{ microBatchTokens: 3, seed: 5, shuffle: true, samplesPerStep: 4 },
  })
  const steps = packer.steps(2.5)
  const sets = ['a', 'b', 'c'].map((name, dropped) => ({ name, dropped }))
  const table = mixtureTable(mixture, sets, packer.endOf(steps), 5)
  expect(table.map(({ rows, heldOut, duplicates }) => rows + heldOut + duplicates)).toEqual([30, 40, 10])
  expect(table.map(({ duplicates, dropped }) => [duplicates, dropped])).toEqual([
    [10, 0],
    [15, 1],
    [0, 2],
  ])
  expect(table.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1)
  expect(table.map(({ tokens, taken }) => tokens! / taken)).toEqual([3, 3, 3])
  const seen = table.map(() => 0)
  for (let i = 0; i < steps; i++)
    for (const { ids } of packer.step().microBatches) seen[ids[0]! < 20 ? 0 : ids[0]! < 100 ? 1 : 2]!++
  for (const [p, { epochs, rows }] of table.entries()) expect(epochs * rows).toBeCloseTo(seen[p]!)
  expect(firsts(mixture.train)).toHaveLength(table.reduce((sum, { taken }) => sum + taken, 0))
})

describe('the end of a run is found without a walk through all of its epochs', () => {
  const cases = [
    ['whole sets', [part('a', 0, 21), part('b', 100, 9, { weight: 2 })]],
    ['a choice of as many', [part('a', 0, 21, { weight: 0.5 }), part('b', 100, 9, { cap: 4 })]],
    ['shares', [part('a', 0, 21, { share: 0.7 }), part('b', 100, 9, { share: 0.3 })]],
    ['a budget', [part('a', 0, 21, { tokens: 40 }, 21, (i) => 1 + (i % 7)), part('b', 100, 9)]],
  ] as const
  const steps = [{ samplesPerStep: 4 }, { tokensPerStep: 11 }]
  const each = cases.flatMap(([name, parts]) =>
    steps.flatMap((step) => [true, false].map((shuffle) => ({ name, parts, step, shuffle }))),
  )
  test.each(each)('$name, $step, shuffle $shuffle', ({ parts, step, shuffle }) => {
    const mixture = mixSamples(parts, options)
    const packer = createPacker(mixture.train, { microBatchTokens: Infinity, seed: 5, shuffle, ...step })
    const seed = shuffle ? 5 : null
    const sets = parts.map(({ name }) => ({ name, dropped: 0 }))
    // As far as it can be walked it is exact.
    for (let i = 0; i < 97; i++) packer.step()
    const { cursor } = packer
    expect(packer.endOf(97)).toEqual(cursor)
    const seen = parts.map(() => 0)
    for (let epoch = 0; epoch <= cursor.epoch; epoch++)
      for (const sample of mixture.train
        .order(epoch, seed)
        .subarray(0, epoch === cursor.epoch ? cursor.position : undefined))
        seen[mixture.train.partOf(sample)]!++
    const table = mixtureTable(mixture, sets, cursor, seed)
    for (const [p, { epochs, rows }] of table.entries()) expect(epochs * rows).toBeCloseTo(seen[p]!)
    // Farther, epochs are like those before.
    const begun = performance.now()
    const [near, far] = [1e4, 1e10].map((count) => {
      const end = packer.endOf(count)
      expect(end.position).toBeLessThanOrEqual(mixture.train.size(0) + 10)
      return mixtureTable(mixture, sets, end, seed).map(({ epochs }) => epochs / count)
    })
    expect(performance.now() - begun).toBeLessThan(10_000)
    for (const [p, epochs] of far!.entries()) expect(epochs / near![p]!).toBeCloseTo(1, 1)
  })
})
