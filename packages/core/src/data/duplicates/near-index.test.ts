import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { DataRandom } from '../random.js'
import { MinHash } from './minhash.js'
import { NearIndex } from './near-index.js'
import { normalise } from './normalise.js'
import { bandsFor, nearDefaults } from './options.js'
import { jaccard, Shingles, sketchSize } from './shingles.js'
import { Units } from './units.js'

interface Fixture {
  readonly permutations: number
  readonly bands: number
  readonly threshold: number
  readonly texts: readonly string[]
  readonly shingles: readonly number[]
  readonly signatures: readonly (readonly number[])[]
  readonly pairs: readonly (readonly [earlier: number, later: number, similarity: number])[]
}

const fixture = JSON.parse(
  readFileSync(new URL('../../../../../fixtures/minhash.json', import.meta.url), 'utf8'),
) as Fixture

const unitsOf = (text: string) => {
  const units = new Units()
  units.read(normalise(text))
  return units
}

/** Pairs of texts that are near, when every text is added: in the numbers of `order`. */
function pairsOf(texts: readonly string[], order: readonly number[]): string[] {
  const index = new NearIndex(nearDefaults)
  const pairs = order.flatMap((number) => {
    index.read(unitsOf(texts[number]!))
    const found = [...index.matches()].map(({ entry, similarity }) => {
      const pair = [order[entry]!, number].sort((a, b) => a - b)
      return `${pair.join(' ')} ${similarity.toFixed(12)}`
    })
    index.add()
    return found
  })
  return pairs.sort()
}

test("shingles and signatures are datasketch's for the same permutations", () => {
  const shingles = new Shingles()
  const minHash = new MinHash(fixture.permutations)
  const found = fixture.texts.map((text) => {
    shingles.read(unitsOf(text), 5)
    minHash.read(shingles.values, shingles.count)
    return { count: shingles.count, signature: Array.from(minHash.signature) }
  })
  expect(found.map(({ count }) => count)).toEqual(fixture.shingles)
  expect(found.slice(0, fixture.signatures.length).map(({ signature }) => signature)).toEqual(
    fixture.signatures,
  )
})

test("near duplicates are datasketch's", () => {
  const { texts, pairs } = fixture
  expect(pairs.length).toBeGreaterThan(20)
  const expected = pairs.map(([a, b, similarity]) => `${a} ${b} ${similarity.toFixed(12)}`).sort()
  expect(pairsOf(texts, [...texts.keys()])).toEqual(expected)
})

test('pairs do not depend on the order of the texts', () => {
  const { texts } = fixture
  const expected = pairsOf(texts, [...texts.keys()])
  for (const seed of [1, 2, 3])
    expect(pairsOf(texts, new DataRandom('order', seed).shuffle([...texts.keys()]))).toEqual(expected)
})

test('Jaccard similarity is symmetric, exact for short texts, and near for longer ones', () => {
  const random = new DataRandom('sets')
  for (const [size, tolerance] of [
    [200, 0],
    [3000, 0.09],
  ] as const)
    for (let turn = 0; turn < 20; turn++) {
      const own = Array.from({ length: 2 * size }, () => random.bits())
      const shared = random.below(size)
      const sets = [own.slice(0, size), own.slice(size - shared, 2 * size - shared)]
      const [a, b] = sets.map((set) => {
        const values = Uint32Array.from(new Set(set)).sort()
        return { values: values.subarray(0, sketchSize), count: values.length }
      })
      const truth = shared / (2 * size - shared)
      expect(Math.abs(jaccard(a!, b!) - truth)).toBeLessThanOrEqual(tolerance)
      expect(jaccard(b!, a!)).toBe(jaccard(a!, b!))
      expect(jaccard(a!, a!)).toBe(1)
    }
})

test('a text without words is like none, not even another one', () => {
  const index = new NearIndex(nearDefaults)
  for (let turn = 0; turn < 2; turn++) {
    index.read(unitsOf(''))
    expect(index.first()).toBeNull()
    index.add()
  }
})

test('texts shorter than a shingle are near when they are equal', () => {
  const index = new NearIndex(nearDefaults)
  index.read(unitsOf('sort the list'))
  index.add()
  index.read(unitsOf('Sort the list!'))
  expect(index.first()).toEqual({ entry: 0, similarity: 1 })
  index.read(unitsOf('sort the lists'))
  expect(index.first()).toBeNull()
})

test('bands find nine of ten pairs at the threshold', () => {
  expect(bandsFor(0.8, 128)).toBe(nearDefaults.bands)
  for (const threshold of [0.1, 0.3, 0.5, 0.7, 0.9, 1]) {
    const bands = bandsFor(threshold, 128)
    expect(128 % bands).toBe(0)
    expect(1 - (1 - threshold ** (128 / bands)) ** bands).toBeGreaterThan(0.9)
  }
})

test('thousands of texts are found again, whatever grows meanwhile', () => {
  const index = new NearIndex(nearDefaults)
  const text = (i: number) =>
    Array.from({ length: 12 }, (_, k) => `w${(i * 7919 + k * k * 31) % 99991}`).join(' ')
  for (let i = 0; i < 3000; i++) {
    index.read(unitsOf(text(i)))
    index.add()
  }
  for (let i = 0; i < 3000; i += 7) {
    index.read(unitsOf(text(i)))
    expect(index.first()).toEqual({ entry: i, similarity: 1 })
  }
})
