import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  bootstrap,
  clustered,
  holm,
  itemsNeeded,
  macroMean,
  mcnemar,
  meanOf,
  pairedDifference,
  pooledMean,
  signFlip,
  spearman,
  swapTest,
  t95,
  tInterval,
  wilson,
} from './index.js'

interface Expected {
  readonly mean: number
  readonly se: number | null
  readonly low: number
  readonly high: number
}
const reference = JSON.parse(
  readFileSync(new URL('../../../../fixtures/eval/intervals.json', import.meta.url), 'utf8'),
) as {
  t95: [number, number][]
  wilson: { successes: number; n: number; expected: Expected }[]
  t: { values: number[]; expected: Expected }[]
  clustered: { values: number[]; clusters: number[]; expected: Expected }[]
  macro: { parts: number[][]; expected: Expected }[]
  pooled: { parts: number[][]; expected: Expected }[]
  paired: { first: number[]; second: number[]; expected: Expected & { sd: number } }[]
  mcnemar: { first: number[]; second: number[]; onlyFirst: number; onlySecond: number; p: number }[]
  signFlip: { differences: number[]; p: number; exact: boolean }[]
  holm: { ps: number[]; expected: number[] }[]
  spearman: { first: number[]; second: number[]; expected: number }[]
  itemsNeeded: { difference: number; sd: number; expected: number }[]
}

/** Equal to 1e-9, absolute below 1 and relative above; null where null is expected. */
function same(found: number | null, expected: number | null) {
  if (found === null || expected === null) expect(found).toBe(expected)
  else expect(Math.abs(found - expected)).toBeLessThan(1e-9 * Math.max(1, Math.abs(expected)))
}
function sameInterval(found: Expected | { [K in keyof Expected]: number | null } | null, expected: Expected) {
  for (const key of ['mean', 'se', 'low', 'high'] as const) same(found![key], expected[key])
}

test('quantiles of t for whole degrees of freedom are those of scipy', () => {
  for (const [degrees, expected] of reference.t95)
    expect(Math.abs(t95(degrees) - expected) / expected, `${degrees} degrees`).toBeLessThan(1e-11)
})

test('intervals of shares and of means are those of statsmodels and scipy', () => {
  for (const { successes, n, expected } of reference.wilson) sameInterval(wilson(successes, n), expected)
  for (const { values, expected } of reference.t) sameInterval(tInterval(values), expected)
})

test('intervals over clusters are those of a regression with clustered errors', () => {
  for (const { values, clusters, expected } of reference.clustered) {
    const found = clustered(values, clusters)
    sameInterval(found, expected)
    // Groups of one are independent values.
    if (new Set(clusters).size === values.length) same(found.se, tInterval(values).se)
  }
  expect(clustered([1, 0, 1], ['a', 'a', 'a'])).toMatchObject({ se: null, low: null, high: null, n: 3 })
})

test('means of parts, alike or by their sizes', () => {
  for (const { parts, expected } of reference.macro)
    sameInterval(macroMean(parts.map((part) => meanOf(part)!)), expected)
  for (const { parts, expected } of reference.pooled)
    sameInterval(pooledMean(parts.map((part) => meanOf(part)!)), expected)
  // Every item of both parts is right: a few items do not show that all would be.
  const perfect = macroMean([wilson(9, 9), wilson(20, 20)])!
  expect(perfect.se).toBe(0)
  expect(perfect.low).toBeLessThan(0.9)
  expect(perfect.high).toBe(1)
  // One value of a part has no interval, so neither has their mean.
  expect(macroMean([tInterval([0.3]), wilson(1, 2)])).toMatchObject({ mean: 0.4, se: null, low: null })
  expect(pooledMean([tInterval([0.3]), wilson(1, 2)])).toMatchObject({ se: null, high: null, n: 3 })
})

test('a mean takes the interval that fits its scores, and nothing has none', () => {
  expect(meanOf([1, 0, 1])).toEqual(wilson(2, 3))
  expect(meanOf([1, 0.5, 1])).toEqual(tInterval([1, 0.5, 1]))
  expect(meanOf([0.5])).toEqual({ mean: 0.5, se: null, low: null, high: null, n: 1, method: 't' })
  expect(meanOf([])).toBeNull()
  expect(macroMean([])).toBeNull()
  expect(pooledMean([])).toBeNull()
  expect(JSON.parse(JSON.stringify(wilson(1, 1)))).toEqual(wilson(1, 1))
})

test('a difference on the same items has the error of the differences', () => {
  for (const { first, second, expected } of reference.paired) {
    const found = pairedDifference(first, second)
    sameInterval(found, expected)
    same(found.sd, expected.sd)
    expect(found.se!).toBeLessThan(tInterval(first).se!)
    const groups = first.map((_, i) => i % 2)
    expect(pairedDifference(first, second, groups)).toMatchObject({ method: 'clustered', mean: found.mean })
  }
})

test('McNemar, Holm and the items that a difference needs', () => {
  for (const { first, second, p, ...counts } of reference.mcnemar) {
    const found = mcnemar(first, second)
    expect(found).toMatchObject(counts)
    same(found.p, p)
  }
  for (const { ps, expected } of reference.holm)
    for (const [i, p] of holm(ps).entries()) same(p, expected[i]!)
  for (const { difference, sd, expected } of reference.itemsNeeded)
    expect(itemsNeeded(difference, sd)).toBe(expected)
  // Far beyond the smallest double.
  const [right, wrong] = [Array.from({ length: 3000 }, () => 1), Array.from({ length: 3000 }, () => 0)]
  expect(mcnemar(right, wrong).p).toBe(0)
  const most = right.map((_, i) => (i < 1450 ? 0 : 1))
  expect(
    mcnemar(
      most,
      most.map((one) => 1 - one),
    ).p,
  ).toBeGreaterThan(0.05)
})

test('rank correlations are those of scipy', () => {
  for (const { first, second, expected } of reference.spearman) same(spearman(first, second), expected)
  expect(spearman([1, 2, 3], [5, 5, 5])).toBeNull()
  expect(spearman([1], [2])).toBeNull()
  expect(spearman([], [])).toBeNull()
})

test('signs of differences: all of them for few items, seeded draws for many', () => {
  for (const { differences, p, exact } of reference.signFlip) {
    const found = signFlip(differences, { seed: 1 })
    expect(found.exact).toBe(exact)
    // Four standard deviations of a share of 10,000 draws, and of the reference's 200,000.
    const slack = exact ? 1e-9 : 4 * Math.sqrt((p * (1 - p)) / 10_000 + (p * (1 - p)) / 200_000) + 1e-4
    expect(Math.abs(found.p - p)).toBeLessThan(slack)
    expect(signFlip(differences, { seed: 1 })).toEqual(found)
  }
  const many = reference.signFlip.at(-1)!.differences
  expect(signFlip(many, { seed: 2 })).not.toEqual(signFlip(many, { seed: 1 }))
  const apart = Array.from({ length: 60 }, () => 1)
  expect(signFlip(apart)).toEqual({ p: 1 / 10_001, exact: false })
  expect(signFlip([0, 0])).toEqual({ p: 1, exact: true })
})

test('exchanged answers: for a difference of means it is the test of signs', () => {
  for (const { differences, p } of reference.signFlip.slice(2)) {
    const found = swapTest(
      differences.length,
      (swapped) => differences.reduce((sum, one, i) => sum + (swapped[i] ? -one : one), 0),
      { draws: 10_000, seed: 5 },
    )
    expect(Math.abs(found - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / 10_000) + 1e-3)
  }
  expect(swapTest(40, () => 0)).toBe(1)
  expect(swapTest(40, (swapped) => 40 - 2 * swapped.reduce((sum, one) => sum + one, 0))).toBe(1 / 1001)
})

test('the bootstrap of a mean has nearly the error of the formula', () => {
  const { values } = reference.t.at(-1)!
  const mean = (items: Int32Array) => items.reduce((sum, i) => sum + values[i]!, 0) / items.length
  const found = bootstrap(values.length, mean, { draws: 4000, seed: 3 })
  const formula = tInterval(values)
  same(found.mean, formula.mean)
  // The standard deviation of 4,000 draws is off by 1/√8000 = 1.1 %.
  expect(Math.abs(found.se! / formula.se! - 1)).toBeLessThan(0.045)
  expect(Math.abs(found.low! - formula.low!)).toBeLessThan(0.2 * formula.se!)
  expect(Math.abs(found.high! - formula.high!)).toBeLessThan(0.2 * formula.se!)
  expect(bootstrap(values.length, mean, { draws: 50, seed: 3 })).toEqual(
    bootstrap(values.length, mean, { draws: 50, seed: 3 }),
  )
  expect(bootstrap(1, mean)).toMatchObject({ se: null, low: null, n: 1 })
})
