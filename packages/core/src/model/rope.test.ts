import { describe, expect, test } from 'vitest'
import { attentionFactor, inverseFrequencies, longestSequence, parseRope, rotaryPart } from './rope.js'

const limits = { dims: 8, maxPositions: 64 }

test('frequencies of the dynamic kind change only beyond the trained length', () => {
  const rope = { kind: 'dynamic', theta: 10000, factor: 2, maxPositions: 16 } as const
  const plain = inverseFrequencies({ kind: 'default', theta: 10000 }, 8, 16)
  expect(inverseFrequencies(rope, 8, 16)).toEqual(plain)
  const longer = inverseFrequencies(rope, 8, 32)
  expect(longer[0]).toBe(1)
  expect(longer[3]).toBeCloseTo((10000 * 3 ** (8 / 6)) ** (-6 / 8), 7)
})

test('LongRoPE has other divisors beyond the trained length, and scales cos and sin', () => {
  const rope = parseRope(
    {
      original_max_position_embeddings: 16,
      rope_scaling: { type: 'longrope', short_factor: [1, 1, 1, 2], long_factor: [1, 2, 4, 8] },
    },
    limits,
  )
  const plain = inverseFrequencies({ kind: 'default', theta: 10000 }, 8, 1)
  const divided = (factors: readonly number[], at: number) => {
    for (const [i, f] of inverseFrequencies(rope, 8, at).entries())
      expect(f).toBeCloseTo(plain[i]! / factors[i]!, 9)
  }
  divided([1, 1, 1, 2], 16)
  divided([1, 2, 4, 8], 17)
  expect(attentionFactor(rope)).toBeCloseTo(Math.sqrt(1 + Math.log(4) / Math.log(16)), 12)
})

describe('the longest sequence', () => {
  const reach = (scaling: Record<string, unknown>) =>
    longestSequence(parseRope({ rope_scaling: scaling }, limits), limits.maxPositions)

  test.each([
    [{}, 64],
    [{ type: 'linear', factor: 4 }, 256],
    [{ type: 'dynamic', factor: 2 }, 128],
    // Before and after: both spellings of max_position_embeddings were published.
    [{ type: 'yarn', factor: 4, original_max_position_embeddings: 64 }, 256],
    [{ type: 'yarn', factor: 4, original_max_position_embeddings: 16 }, 64],
  ])('of %j is %i', (scaling, expected) => {
    expect(reach(scaling)).toBe(expected)
  })
})

test('YaRN takes its factor from the lengths, and its scale from mscale', () => {
  const of = (scaling: Record<string, unknown>) =>
    parseRope(
      { rope_scaling: { rope_type: 'yarn', original_max_position_embeddings: 16, ...scaling } },
      limits,
    )
  expect(of({})).toMatchObject({ factor: 4, betaFast: 32, betaSlow: 1, truncate: true })
  expect(attentionFactor(of({}))).toBeCloseTo(0.1 * Math.log(4) + 1, 12)
  expect(attentionFactor(of({ mscale: 1, mscale_all_dim: 1 }))).toBe(1)
  expect(attentionFactor(of({ attention_factor: 2 }))).toBe(2)
})

test('the part of a head that turns is read from either place', () => {
  expect(rotaryPart({})).toBe(1)
  expect(rotaryPart({ partial_rotary_factor: 0.75 })).toBe(0.75)
  expect(rotaryPart({ rope_parameters: { partial_rotary_factor: 0.5 } })).toBe(0.5)
  expect(() => rotaryPart({ partial_rotary_factor: 2 })).toThrow(
    /partial_rotary_factor expected at most 1, found 2/,
  )
})

test.each<[Record<string, unknown>, RegExp]>([
  [{ rope_scaling: 'yarn' }, /rope_scaling expected an object, found "yarn"/],
  [{ rope_parameters: [] }, /rope_parameters expected an object/],
  [{ rope_theta: 0 }, /rope_theta expected a positive number, found 0/],
  [{ rope_scaling: { type: 'su' } }, /rope_scaling\.type expected default, .* found "su"/],
  [{ rope_scaling: { type: 'linear' } }, /rope_scaling\.factor expected a positive number, found nothing/],
  [
    { rope_scaling: { type: 'llama3', factor: 8, low_freq_factor: 4, high_freq_factor: 4 } },
    /rope_scaling\.high_freq_factor expected more than low_freq_factor \(4\), found 4/,
  ],
  [
    { rope_scaling: { type: 'longrope', short_factor: [1, 1, 1], long_factor: [1, 1, 1, 1] } },
    /rope_scaling\.short_factor expected a list of 4 positive numbers, found \[1,1,1\]/,
  ],
])('%j is refused', (json, message) => {
  expect(() => parseRope(json, limits)).toThrow(message)
})
