import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, root } from './ift.fixture.js'

const folder = caseFolder('rel-38-numbers-change')
afterAll(() => {
  folder.remove()
})

test('numbers where texts are due have the digits of the file', () => {
  folder.output('data', 'convert', 'ids.jsonl', '--to', 'alpaca', '-o', 'out.jsonl')
  const text = folder.read('out.jsonl')
  for (const digits of ['9007199254740993', '12345678901234567890', '1.0'])
    expect(text).toContain(`"${digits}"`)
})

// What a reader would lose is refused, with its place.
test.each([
  ['a.csv', 'instruction,output,output\nx,1,2\n', 'IFT_DATA_SYNTAX', /a\.csv:1: .*"output"/],
  [
    'a.jsonl',
    '{"instruction":"a","output":"b"}\n{"instruction":"a","output":"1","output":"2"}\n',
    'IFT_DATA_RECORD',
    /a\.jsonl:2: .*"output"/,
  ],
  [
    'b.json',
    '[\n{"instruction":"a","output":"b"},\n{"instruction":"a","m":{"k":1,"k":2},"output":"b"}]',
    'IFT_DATA_RECORD',
    /b\.json:3: .*"k"/,
  ],
])('%s: one name twice', (file, text, code, message) => {
  writeFileSync(folder.path(file), text)
  const { code: exit, stderr } = folder.ift(['data', 'convert', file, '-o', `${file}.out`])
  expect(exit).toBe(1)
  expect(stderr).toContain(code)
  expect(stderr).toMatch(message)
})

test('a Parquet footer that says there are no rows', () => {
  const inspect = ['inspect', '--weights', quickstartModel, '--template', 'alpaca', '--data']
  const { code, stderr } = folder.ift([...inspect, 'no-rows.parquet'])
  expect(code).toBe(1)
  expect(stderr).toContain('IFT_FILE_CORRUPT')
})

test('one bit of a footer that makes its columns another number', () => {
  const bytes = readFileSync(join(root, 'fixtures/cases/12-parquet-null-arguments/calls.parquet'))
  bytes[813]! ^= 1
  writeFileSync(folder.path('flipped.parquet'), bytes)
  const { code, stdout, stderr } = folder.ift(['data', 'validate', 'flipped.parquet'], { timeout: 20_000 })
  expect(code).toBe(1)
  expect(stdout + stderr).toContain('broken Parquet file')
})

test('token ids stay numbers, through floats too', () => {
  writeFileSync(folder.path('ids-only.jsonl'), '{"input_ids":[1,40.0,5e1,2],"labels":[-100,40,50,2]}\n')
  const flags = ['--weights', quickstartModel, '--data', 'ids-only.jsonl', '--json']
  const tokens = JSON.parse(folder.output('inspect', ...flags)) as { id: number }[]
  expect(tokens.map(({ id }) => id)).toEqual([1, 40, 50, 2])
})
