import { expect, test } from 'vitest'
import { expandComposite } from '../composites.js'
import { createPacker } from '../pack.js'
import { DataRandom } from '../random.js'
import { mixSamples, type MixtureOptions } from './mixture.js'
import { firsts, part } from './part.fixture.js'

const options: MixtureOptions = {
  order: 'sequential',
  seed: 1,
  dedup: false,
  validation: { size: 0, seed: 42 },
}
const sorted = (values: number[]) => values.sort((a, b) => a - b)

test('one part after the other, or seeded through each other', () => {
  const parts = [part('a', 0, 50), part('b', 100, 30)]
  const { train } = mixSamples(parts, options)
  expect(firsts(train)).toEqual([...Array(50).keys(), ...[...Array(30).keys()].map((i) => 100 + i)])
  expect([train.partOf(0), train.partOf(49), train.partOf(50), train.partOf(79)]).toEqual([0, 0, 1, 1])
  expect(() => train.sample(80)).toThrow('Sample 80 of 80')
  expect([train.length(3), train.trained(3), train.whole]).toEqual([3, 2, true])
  const shuffled = firsts(mixSamples(parts, { ...options, order: 'shuffled' }).train)
  expect(shuffled).not.toEqual(firsts(train))
  expect(sorted([...shuffled])).toEqual(firsts(train))
  expect(firsts(mixSamples(parts, { ...options, order: 'shuffled' }).train)).toEqual(shuffled)
  expect(firsts(mixSamples(parts, { ...options, order: 'shuffled', seed: 2 }).train)).not.toEqual(shuffled)
})

// Recorded before entries had shares, caps and budgets, and before a choice had turns.
const recorded = [
  ['shuffled', true, 2, 1.5, [5, 3, 102, 3, 101, 1, 1, 2, 102, 100, 0, 2, 5, 0, 100], null],
  ['shuffled', true, 0.5, undefined, [5, 100, 101, 102, 1, 3], null],
  ['shuffled', false, undefined, undefined, [1, 2, 3, 5, 101, 102, 0, 100], [1, 2, 3, 5, 101, 102, 0, 100]],
  ['shuffled', false, 2, 1.5, [100, 2, 1, 5, 0, 3, 102, 5, 3, 1, 2, 100, 102, 0, 101], null],
  ['shuffled', false, 0.5, undefined, [3, 5, 102, 100, 1, 101], null],
  ['sequential', true, undefined, undefined, [2, 100, 5, 1, 102, 3, 101, 0], [2, 5, 0, 3, 1, 101, 100, 102]],
  ['sequential', true, 2, 1.5, [3, 3, 1, 0, 102, 2, 5, 100, 102, 101, 5, 1, 2, 100, 0], null],
  ['sequential', false, undefined, undefined, [0, 1, 2, 3, 5, 100, 101, 102], [0, 1, 2, 3, 5, 100, 101, 102]],
  ['sequential', false, 2, 1.5, [0, 1, 2, 3, 5, 0, 1, 2, 3, 5, 100, 101, 102, 100, 102], null],
  ['sequential', false, 0.5, undefined, [1, 3, 5, 100, 101, 102], null],
] as const

test.each(recorded)('%s, shuffle %s, weights %s and %s: the order that runs have had', (...row) => {
  const [order, shuffle, a, b, first, second] = row
  const validation = { size: 2, seed: 3 }
  const { train } = mixSamples([part('a', 0, 6, { weight: a }), part('b', 100, 4, { weight: b })], {
    ...{ order, seed: 7, dedup: false, validation },
  })
  const packer = createPacker(train, { microBatchTokens: 3, seed: 5, shuffle, samplesPerStep: 1 })
  const epoch = () => [...packer.restOfEpoch()].map(({ microBatches }) => microBatches[0]!.ids[0])
  expect(epoch()).toEqual(first)
  if (second !== null) expect(epoch()).toEqual(second)
  else expect(epoch()).toHaveLength(first.length)
})

test('weights take parts more or less often', () => {
  const { train } = mixSamples(
    [part('a', 0, 20, { weight: 2.5 }), part('b', 100, 40, { weight: 0.25 })],
    options,
  )
  for (const epoch of [0, 1, 5]) {
    const times = new Map<number, number>()
    for (const first of firsts(train, epoch)) times.set(first, (times.get(first) ?? 0) + 1)
    const a = Array.from({ length: 20 }, (_, i) => times.get(i)!)
    expect(a.filter((n) => n === 2)).toHaveLength(10)
    expect(a.filter((n) => n === 3)).toHaveLength(10)
    expect([...times].filter(([first]) => first >= 100).every(([, n]) => n === 1)).toBe(true)
    expect([train.size(epoch), train.sizes(epoch)]).toEqual([60, [50, 10]])
  }
  // A weight that rounds to nothing still takes a sample.
  expect(mixSamples([part('a', 0, 20), part('b', 100, 4, { weight: 0.01 })], options).train.sizes(0)).toEqual(
    [20, 1],
  )
})

test('what no mixture can be is refused', () => {
  const faults = [
    [{ weight: 0 }, 'data: weight of "a": expected a number above 0, found 0.'],
    [{ weight: Infinity }, 'weight of "a": expected a number above 0, found Infinity.'],
    [{ share: 1.5 }, 'data: share of "a": expected a number above 0 and at most 1, found 1.5.'],
    [{ cap: 0.5 }, 'data: cap of "a": expected a whole number above 0, found 0.5.'],
    [{ tokens: -1 }, 'data: tokens of "a": expected a whole number above 0, found -1.'],
    [{ share: 1 }, 'less than 1, which leaves something for the entries without one, found 1.'],
    [{ weight: 1e9 }, 'at most 2147483647 samples, found 20000000004, 20000000000 of them of "a".'],
  ] as const
  for (const [portion, said] of faults)
    expect(() => mixSamples([part('a', 0, 20, portion), part('b', 100, 4)], options), said).toThrow(said)
  const both = [part('a', 0, 2, { share: 0.7 }), part('b', 9, 2, { share: 0.4 })]
  expect(() => mixSamples(both, options)).toThrow(
    'data: expected shares that add up to at most 1, found 1.1.',
  )
})

test('duplicates are taken out across parts, exactly', () => {
  const parts = [part('a', 0, 30, {}, 10), part('b', 5, 10)]
  const { train, counts } = mixSamples(parts, { ...options, dedup: true })
  expect(firsts(train)).toEqual([...Array(15).keys()])
  expect(counts).toEqual([
    { rows: 10, duplicates: 20, heldOut: 0 },
    { rows: 5, duplicates: 5, heldOut: 0 },
  ])
  expect(mixSamples(parts, options).counts.map(({ duplicates }) => duplicates)).toEqual([0, 0])
})

test('what is held out is never trained on, whatever the portions and the order', () => {
  const random = new DataRandom('split', 5)
  const portions = [
    { weight: 3 },
    { share: 0.6 },
    { cap: 7 },
    { tokens: 50 },
    { weight: 0.3, cap: 9, tokens: 100 },
  ]
  for (let round = 0; round < 60; round++) {
    const parts = [
      part('a', 0, 10 + random.below(90), portions[random.below(5)]),
      part('b', 1000, 10 + random.below(90), { weight: 0.5 }),
    ]
    const total = parts[0]!.samples.count + parts[1]!.samples.count
    const size = random.below(2) === 0 ? 1 + random.below(9) : random.below(90) / 100
    const seed = random.below(100)
    const order = (['shuffled', 'sequential', 'interleaved'] as const)[random.below(3)]!
    const mix = () => mixSamples(parts, { ...options, order, validation: { size, seed } })
    const { train, validation } = mix()
    expect(validation.count).toBe(size < 1 ? Math.round(size * total) : size)
    const held = new Set(firsts(validation))
    expect(held.size).toBe(validation.count)
    for (let epoch = 0; epoch < 4; epoch++)
      expect(firsts(train, epoch, epoch).some((first) => held.has(first))).toBe(false)
    expect(firsts(mix().validation)).toEqual(firsts(validation))
  }
  expect(() => mixSamples([part('a', 0, 20)], { ...options, validation: { size: 2000, seed: 1 } })).toThrow(
    /holds out 2000 of 20/,
  )
})

test('composite names stand for what their files hold', () => {
  expect(expandComposite('alpaca-belle-cot')).toEqual(['alpaca', 'belle', 'cot'])
  expect(expandComposite('dolly')).toEqual(['dolly'])
})
