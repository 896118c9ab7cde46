import { describe, expect, it } from 'vitest'
import { backendConformance } from '../testing/index.js'
import { erf } from './erf.js'
import { referenceBackend } from './index.js'
import { philox } from './philox.js'

describe('reference backend', () => {
  for (const { name, run } of backendConformance(() => referenceBackend())) it(name, run)
})

it('gives the known answers of Philox4x32-10', () => {
  // From the kat_vectors file of Random123 1.14.
  const out = new Uint32Array(4)
  philox(out, 0, 0, 0)
  expect([...out].map((w) => w.toString(16))).toEqual(['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8'])
})

it('has erf to 1e-14', () => {
  // Values from Abramowitz & Stegun 1964, table 7.1.
  for (const [x, value] of [
    [0.5, 0.5204998778],
    [1, 0.8427007929],
    [2, 0.995322265],
    [-1.5, -0.9661051465],
  ] as const) {
    expect(erf(x)).toBeCloseTo(value, 9)
  }
  // Series and continued fraction meet at 2.5.
  expect(erf(2.5 - 1e-12)).toBeCloseTo(erf(2.5 + 1e-12), 11)
})
