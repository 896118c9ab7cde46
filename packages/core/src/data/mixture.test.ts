import { expect, test } from 'vitest'
import { expandComposite } from './composites.js'
import { ignoredLabel } from './encode.js'
import { mixSamples, type MixtureOptions, type SampleView } from './mixture.js'
import { DataRandom } from './random.js'
import { SampleStoreBuilder } from './store.js'

const none = { examples: 0, truncated: 0, cutTokens: 0, long: 0, untrained: 0, filtered: 0 }
/** Samples [first + i, 7, i % 3 …]: `repeat` makes their tokens come again. */
function part(name: string, first: number, count: number, weight?: number, repeat = count) {
  const builder = new SampleStoreBuilder()
  for (let i = 0; i < count; i++) {
    const ids = Int32Array.of(first + (i % repeat), 7, 8)
    builder.add({ ids, labels: Int32Array.of(ignoredLabel, 7, 8) })
  }
  return { name, samples: builder.build(none), weight }
}
const options: MixtureOptions = {
  order: 'sequential',
  seed: 1,
  dedup: false,
  validation: { size: 0, seed: 42 },
}
const firsts = (view: SampleView) => Array.from({ length: view.count }, (_, i) => view.sample(i).ids[0]!)
const sorted = (values: number[]) => values.sort((a, b) => a - b)

test('one part after the other, or seeded through each other', () => {
  const parts = [part('a', 0, 50), part('b', 100, 30)]
  const { train } = mixSamples(parts, options)
  expect(firsts(train)).toEqual([...Array(50).keys(), ...[...Array(30).keys()].map((i) => 100 + i)])
  expect([train.partOf(0), train.partOf(79)]).toEqual(['a', 'b'])
  expect([train.length(3), train.trained(3)]).toEqual([3, 2])
  const shuffled = firsts(mixSamples(parts, { ...options, order: 'shuffled' }).train)
  expect(shuffled).not.toEqual(firsts(train))
  expect(sorted([...shuffled])).toEqual(firsts(train))
  expect(firsts(mixSamples(parts, { ...options, order: 'shuffled' }).train)).toEqual(shuffled)
  expect(firsts(mixSamples(parts, { ...options, order: 'shuffled', seed: 2 }).train)).not.toEqual(shuffled)
})

test('weights take parts more or less often', () => {
  const { train } = mixSamples([part('a', 0, 20, 2.5), part('b', 100, 40, 0.25)], options)
  const times = new Map<number, number>()
  for (const first of firsts(train)) times.set(first, (times.get(first) ?? 0) + 1)
  const a = Array.from({ length: 20 }, (_, i) => times.get(i)!)
  expect(a.filter((n) => n === 2)).toHaveLength(10)
  expect(a.filter((n) => n === 3)).toHaveLength(10)
  expect([...times].filter(([first]) => first >= 100).every(([, n]) => n === 1)).toBe(true)
  expect(train.count).toBe(60)
  expect(() => mixSamples([part('a', 0, 2, 0)], options)).toThrow(/"a": weight 0/)
})

test('duplicates are taken out across parts, exactly', () => {
  const parts = [part('a', 0, 30, undefined, 10), part('b', 5, 10)]
  const { train, duplicates } = mixSamples(parts, { ...options, dedup: true })
  expect(firsts(train)).toEqual([...Array(15).keys()])
  expect(duplicates).toBe(25)
  expect(mixSamples(parts, options).duplicates).toBe(0)
})

test('what is held out is never trained on, whatever the weights and the order', () => {
  const random = new DataRandom('split', 5)
  for (let round = 0; round < 40; round++) {
    const parts = [
      part('a', 0, 10 + random.below(90), 1 + random.below(4)),
      part('b', 1000, 10 + random.below(90), 0.5),
    ]
    const total = parts[0]!.samples.count + parts[1]!.samples.count
    const size = random.below(2) === 0 ? 1 + random.below(9) : random.below(90) / 100
    const seed = random.below(100)
    const mix = () => mixSamples(parts, { ...options, order: 'shuffled', validation: { size, seed } })
    const { train, validation } = mix()
    expect(validation.count).toBe(size < 1 ? Math.round(size * total) : size)
    const held = new Set(firsts(validation))
    expect(held.size).toBe(validation.count)
    expect(firsts(train).some((first) => held.has(first))).toBe(false)
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
