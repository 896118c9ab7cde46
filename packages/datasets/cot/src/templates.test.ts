import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { readCsv } from '@ift/core'
import { unquote } from './python-csv.js'
import { cotTasks, templates } from './templates.js'

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/formatted/${name}`, import.meta.url))

test('nine tasks, every pair once and with its marks', () => {
  expect(cotTasks).toHaveLength(9)
  for (const pairs of Object.values(templates)) {
    expect(new Set(pairs.map((pair) => JSON.stringify(pair))).size).toBe(pairs.length)
    for (const { instruction, output } of pairs) {
      expect(instruction.split('{question}')).toHaveLength(2)
      expect(output).toMatch(/^\{rationale\}[ \n][A-Z][^{}]*\{answer\}\.$/)
    }
  }
})

const formatted = ['aqua', 'creak', 'ecqa', 'qasc', 'sensemaking', 'strategyqa'] as const

test.each(formatted)(
  '%s: every row that the original formatted has a pair, and every pair a row',
  async (task) => {
    const rows = JSON.parse(readFileSync(fixture(`${task}_train.formatted.json`), 'utf8')) as object[]
    const used = new Set<number>()
    const header = ['question', 'answer', 'rationale']
    for await (const { record } of readCsv(fixture(`${task}_train.tsv`), '\t', { header, quotes: false })) {
      const fill = (text: string) =>
        text.replace(/\{(\w+)\}/g, (_, name: string) => unquote(record[name] as string))
      const made = templates[task].map(({ instruction, output }) => [fill(instruction), fill(output)])
      const { instruction, output } = rows.shift() as { instruction: string; output: string }
      const at = made.findIndex(([asked, answered]) => asked === instruction && answered === output)
      expect(at, instruction).not.toBe(-1)
      used.add(at)
    }
    expect(rows).toEqual([])
    expect(used.size).toBe(templates[task].length)
  },
)

test("fields in quotes are read as Python's csv module reads them", () => {
  const fields = ['"a ""b"" c"', '"a" b "c"', 'a "b"', '"open', '""']
  expect(fields.map(unquote)).toEqual(['a "b" c', 'a b "c"', 'a "b"', 'open', ''])
})
