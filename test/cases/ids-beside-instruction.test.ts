import { writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel } from './ift.fixture.js'

const folder = caseFolder('ids-beside-instruction')
afterAll(() => {
  folder.remove()
})

const both = { instruction: 'Say hi', input: '', output: 'hi', input_ids: [1, 40, 50, 2] }
writeFileSync(folder.path('both.jsonl'), `${JSON.stringify(both)}\n`)
writeFileSync(
  folder.path('later.jsonl'),
  `${JSON.stringify({ ...both, input_ids: undefined })}\n${JSON.stringify(both)}\n`,
)
const idsOf = (format: string) => {
  writeFileSync(folder.path('ift.config.json'), JSON.stringify({ data: { path: 'both.jsonl', format } }))
  const flags = ['--weights', quickstartModel, '--template', 'alpaca', '--json']
  return (JSON.parse(folder.output('inspect', ...flags)) as { id: number }[]).map(({ id }) => id)
}

test.each([
  ['both.jsonl', 1],
  ['later.jsonl', 2],
])('%s: token ids beside a text are refused with their place', (file, line) => {
  const { code, stderr } = folder.ift(['data', 'convert', file, '-o', 'out.jsonl'])
  expect(code).toBe(2)
  expect(stderr).toContain('IFT_DATA_FORMAT')
  expect(stderr).toMatch(new RegExp(`${file}:${line}: .*"input_ids".*alpaca`, 's'))
})

test('the form that is named decides', () => {
  expect(idsOf('tokenized')).toEqual([1, 40, 50, 2])
  expect(idsOf('alpaca').length).toBeGreaterThan(20)
  folder.output('data', 'convert', 'both.jsonl', '--format', 'alpaca', '-o', 'out.jsonl')
  expect(folder.lines('out.jsonl')).toEqual([{ instruction: 'Say hi', input: '', output: 'hi' }])
})
