import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const rows = readFileSync(new URL('bilingual.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('bilingual.jsonl', () => {
  it('has at least 100 rows of instruction, input and output, about half of them Chinese', () => {
    expect(rows.length).toBeGreaterThanOrEqual(100)
    const chinese = rows.filter(({ instruction }) => /\p{Script=Han}/u.test(String(instruction))).length
    expect(chinese / rows.length).toBeGreaterThan(0.4)
    expect(chinese / rows.length).toBeLessThan(0.6)
  })

  it('has no empty instruction or output, no stray space and no other field', () => {
    for (const row of rows) {
      expect(Object.keys(row)).toEqual(['instruction', 'input', 'output'])
      for (const text of Object.values(row)) {
        expect(typeof text).toBe('string')
        expect(text).toBe(String(text).trim())
      }
      expect(row['instruction']).not.toBe('')
      expect(row['output']).not.toBe('')
    }
  })

  it('has no row twice', () => {
    const keys = rows.map(({ instruction, input }) => JSON.stringify([instruction, input]))
    expect(new Set(keys).size).toBe(rows.length)
    expect(new Set(rows.map(({ output }) => output)).size).toBeGreaterThan(rows.length - 6)
  })
})
