import { writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, rows } from '../cases/ift.fixture.js'

const folder = caseFolder('data-chart')
afterAll(() => {
  folder.remove()
})

test('a selection is charted from the catalogue, and written as SVG', () => {
  const shown = folder.output('data', 'chart', 'lang:cn', '-licence:nc')
  expect(shown).toMatch(/^Relative sizes of \d+ datasets, in rows\n {2}firefly +C+ 1\.6M pairs\n/)
  expect(shown).not.toContain('belle')
  const { code, stdout, stderr } = folder.ift(['data', 'chart', 'lang:cn', '-o', 'sizes.svg'])
  expect([code, stdout]).toEqual([0, ''])
  expect(stderr).toContain('sizes.svg')
  expect(folder.read('sizes.svg')).toMatch(/^<svg [^>]*role="img"[\s\S]*firefly[\s\S]*<\/svg>\n$/)
})

test('what an epoch takes of the data of a config, by rows and by tokens', () => {
  writeFileSync(folder.path('a.jsonl'), rows(40))
  writeFileSync(folder.path('b.jsonl'), rows(20))
  writeFileSync(
    folder.path('ift.config.json'),
    JSON.stringify({
      ...{ weights: quickstartModel, template: 'alpaca' },
      data: [{ path: 'a.jsonl', cap: 10 }, 'b.jsonl'],
    }),
  )
  const bars = (by: string) =>
    (JSON.parse(folder.output('data', 'chart', '--by', by, '--json')) as { bars: object[] }).bars
  expect(bars('rows')).toMatchObject([
    { name: 'b.jsonl', value: 20, languages: [] },
    { name: 'a.jsonl', value: 10 },
  ])
  expect(bars('tokens')).toMatchObject([{ name: 'b.jsonl' }, { name: 'a.jsonl' }])
  expect(folder.ift(['data', 'chart', '--by', 'tokens', 'name:dolly']).stderr).toContain(
    'no number of tokens is known',
  )
  const kept = folder.ift(['data', 'chart', '-o', 'a.jsonl'])
  expect(kept.code).not.toBe(0)
  expect(folder.read('a.jsonl')).toBe(rows(40))
})
