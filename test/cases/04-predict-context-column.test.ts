import { writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel } from './ift.fixture.js'

const folder = caseFolder('04-predict-context-column')
afterAll(() => {
  folder.remove()
})

function answers(file: string): string[] {
  const flags = ['--weights', quickstartModel, '--template', 'alpaca', '--generate.maxNewTokens', '40']
  folder.output('predict', ...flags, '--overwrite', '--input', file, '-o', `${file}.out`)
  return (folder.lines(`${file}.out`) as { generate: string }[]).map(({ generate }) => generate)
}

test('the context is asked about whether the record has a place for the response or not', () => {
  const said = answers('with-empty-response.jsonl')
  expect(said[0]).not.toBe(said[1])
  expect(answers('without-response.jsonl')).toEqual(said)
})

test('so it is in a table whose column for the response is empty, and where it is null', () => {
  const records = folder.lines('without-response.jsonl') as { instruction: string; context: string }[]
  const cell = (text: string) => `"${text.replaceAll('"', '""')}"`
  writeFileSync(
    folder.path('table.csv'),
    [
      'instruction,context,response',
      ...records.map((r) => `${cell(r.instruction)},${cell(r.context)},`),
    ].join('\n'),
  )
  writeFileSync(
    folder.path('null.json'),
    JSON.stringify(records.map((record) => ({ ...record, response: null }))),
  )
  const said = answers('with-empty-response.jsonl')
  expect(answers('table.csv')).toEqual(said)
  expect(answers('null.json')).toEqual(said)
})
