import * as z from './options.js'

const factors: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9, b: 1e9 }
const written = /^(\d{1,15}(?:\.\d{1,9})?)([kmgbKMGB]?)$/
const expected = { error: 'expected a whole number above 0, also as 500k, 2M or 1.5G' }

/** A whole number above 0, or a text such as 500k, 2M, 1.5G. */
export const amount = z.union(
  [
    z.number(expected).int(expected).positive(expected),
    z
      .string(expected)
      .regex(written, expected)
      .refine((text) => !written.test(text) || amountOf(text) > 0, expected),
  ],
  expected,
)

/** The number that an amount stands for; NaN for a text that is none. */
export function amountOf(value: number | string): number {
  if (typeof value === 'number') return value
  const [, digits, unit = ''] = written.exec(value) ?? []
  const number = Math.round(Number(digits) * factors[unit.toLowerCase()]!)
  return Number.isSafeInteger(number) ? number : Number.NaN
}
