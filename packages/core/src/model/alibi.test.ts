import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { alibiSlopes } from './alibi.js'

const { slopes } = JSON.parse(
  readFileSync(new URL('../../../../fixtures/bloom/alibi.json', import.meta.url), 'utf8'),
) as { slopes: Record<string, number[]> }

test.each(Object.entries(slopes))('slopes of %s heads are those of transformers', (heads, expected) => {
  const found = alibiSlopes(Number(heads))
  expect(found).toHaveLength(expected.length)
  for (const [i, slope] of expected.entries())
    expect(Math.abs(found[i]! - slope), `head ${i}`).toBeLessThan(1e-6 * slope)
})

test('slopes were compared for the heads of every published size', () => {
  expect(Object.keys(slopes)).toEqual(expect.arrayContaining(['16', '32', '40', '112']))
})

test('slopes of the 40 heads of Baichuan 13B: 32 powers, then odd powers of the root', () => {
  const slopes = alibiSlopes(40)
  expect([slopes[0], slopes[3], slopes[31]]).toEqual([2 ** -0.25, 0.5, 2 ** -8].map(Math.fround))
  expect([slopes[32], slopes[33], slopes[39]]).toEqual(
    [2 ** -0.125, 2 ** -0.375, 2 ** -1.875].map(Math.fround),
  )
})
