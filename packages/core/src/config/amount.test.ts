import { expect, test } from 'vitest'
import { amount, amountOf } from './amount.js'

test('amounts are whole numbers, as numbers or with a unit', () => {
  const known = { '7': 7, '500k': 5e5, '2M': 2e6, '2m': 2e6, '1.5G': 1.5e9, '0.25B': 2.5e8, '1.0005k': 1001 }
  for (const [text, number] of Object.entries(known)) {
    expect(amount.safeParse(text).success, text).toBe(true)
    expect(amountOf(text), text).toBe(number)
  }
  expect(amountOf(amount.parse(200_000))).toBe(200_000)
  for (const bad of [
    '',
    '0',
    '0k',
    '0.0001',
    '-1',
    '2 M',
    '1e6',
    'k',
    '999999999999999G',
    '1.5.2',
    0,
    -2,
    0.5,
    null,
  ])
    expect(amount.safeParse(bad).success, String(bad)).toBe(false)
  for (const bad of ['two', '0k', 1.5, -2, null, {}])
    expect(amount.safeParse(bad).error?.issues.map(({ message }) => message)).toEqual([
      'expected a whole number above 0, also as 500k, 2M or 1.5G',
    ])
})
