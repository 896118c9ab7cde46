import type { DataRandom } from '../data/random.js'

const texts = [
  '',
  ' ',
  'a',
  'human',
  'assistant',
  'Human: a\nAssistant: b',
  'Human: a Assistant:',
  'a\r\nb',
  '你好',
  '1,234.5',
  '-0',
  '{x}',
  '|',
  '<b>&',
  '\ud800',
  '__proto__',
  'A',
]
const numbers = [0, 1, -1, 2.5, 1e308, NaN, Infinity, 2 ** 53, -0]

/** A seeded JSON value, at most `depth` levels deep; objects take some of their keys from `keys`. NaN and Infinity occur, as Parquet has them. */
export function randomJson(random: DataRandom, keys: readonly string[] = [], depth = 3): unknown {
  const names = [...keys, 'text', 'role', 'from', 'value', 'content', '__proto__', 'toString', '']
  const pick = <T>(list: readonly T[]): T => list[random.below(list.length)]!
  const kind = random.below(depth > 0 ? 7 : 5)
  if (kind === 0) return null
  if (kind === 1) return random.below(2) === 0
  if (kind === 2) return pick(numbers)
  if (kind < 5) return pick(texts)
  const length = random.below(5)
  if (kind === 5) return Array.from({ length }, () => randomJson(random, keys, depth - 1))
  const entries = Array.from({ length }, () => [pick(names), randomJson(random, keys, depth - 1)])
  return Object.fromEntries(entries)
}
