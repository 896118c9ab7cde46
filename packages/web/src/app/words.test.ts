import { describe, expect, it } from 'vitest'
import { language } from './language.js'

type Table = Readonly<Record<string, unknown>>

/** Words of all views. */
const found = (
  import.meta as unknown as { glob: (path: string, options: object) => Record<string, unknown> }
).glob('../**/text.ts', { eager: true }) as Readonly<Record<string, { text?: () => Table }>>

const tables = Object.entries(found).flatMap(([file, { text }]) => {
  if (typeof text !== 'function') return []
  const of = (one: 'en' | 'zh') => {
    language.value = one
    return text()
  }
  return [{ file, en: of('en'), zh: of('zh') }]
})

/** Every text of a table with its path; of functions what they are made of. */
const texts = (table: unknown, path = ''): readonly (readonly [string, string])[] => {
  if (typeof table === 'string') return [[path, table]]
  if (typeof table === 'function') return [[`${path}(${table.length})`, String(table)]]
  if (typeof table !== 'object' || table === null) return []
  return Object.entries(table).flatMap(([key, value]) => texts(value, `${path}.${key}`))
}

describe('words', () => {
  it('are there', () => {
    expect(tables.length).toBeGreaterThan(2)
  })

  it.each(tables)('have the same keys in both languages: $file', ({ en, zh }) => {
    const paths = (table: Table) => texts(table).map(([path]) => path.replace(/\(\d\)$/, '()'))
    expect(paths(zh)).toEqual(paths(en))
  })

  it.each(tables)('are plain: $file', ({ en, zh }) => {
    for (const [path, text] of texts(en))
      if (!path.endsWith(')')) expect(text, path).not.toMatch(/!|\b(please|oops|sorry|are you sure)\b/i)
    for (const [path, text] of texts(zh)) expect(text, path).not.toMatch(/[您请！]/)
  })
})
