import { isExactNumber } from '../exact-json.js'

/** Where stand-ins begin: integers that a double holds, and halves of fewer digits, neither of which is in any text. */
const firstInteger = 7_000_000_000_000_001
const firstFloat = 70_000_000_000_001.5

/** A value for a template, and what puts the digits of the file into the text that the template made of it. */
export interface Prepared<T> {
  readonly value: T
  readonly restore: (rendered: string) => string
}

function textsOf(value: unknown, numbers: Set<string>, texts: string[]): void {
  if (typeof value === 'string') texts.push(value)
  if (typeof value === 'number') texts.push(String(value))
  if (isExactNumber(value)) numbers.add(value.value)
  else if (typeof value === 'object' && value !== null)
    for (const [key, item] of Object.entries(value)) {
      texts.push(key)
      textsOf(item, numbers, texts)
    }
}

function replaced(value: unknown, standIns: ReadonlyMap<string, number>): unknown {
  if (isExactNumber(value)) return standIns.get(value.value)!
  if (Array.isArray(value)) return value.map((item) => replaced(item, standIns))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaced(item, standIns)]))
  return value
}

/**
 * Template engines compute with doubles. A number that a double would write with other digits goes in as one of the same kind
 * (integer or float) that occurs nowhere else in `value` or `source`, and its own digits are put into the text.
 */
export function withExactNumbers<T>(value: T, source: string): Prepared<T> {
  const numbers = new Set<string>()
  const texts = [source]
  textsOf(value, numbers, texts)
  if (numbers.size === 0) return { value, restore: (rendered) => rendered }
  const standIns = new Map<string, number>()
  let [integer, float] = [firstInteger, firstFloat]
  for (const text of numbers) {
    const next = () => (/^-?\d+$/.test(text) ? integer++ : float++)
    let standIn = next()
    while (texts.some((other) => other.includes(String(standIn)))) standIn = next()
    standIns.set(text, standIn)
  }
  return {
    value: replaced(value, standIns) as T,
    restore: (rendered) =>
      [...standIns].reduce((out, [text, standIn]) => out.replaceAll(String(standIn), text), rendered),
  }
}
