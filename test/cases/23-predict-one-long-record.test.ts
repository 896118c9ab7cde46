import { existsSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { caseFolder, quickstartModel, type CaseFolder } from './ift.fixture.js'

let folder: CaseFolder
beforeEach(() => {
  folder = caseFolder('23-predict-one-long-record')
})
afterEach(() => {
  folder.remove()
})

interface Line {
  readonly instruction: string
  readonly generate?: string
  readonly error?: { readonly code: string; readonly message: string }
}

const model = ['--weights', quickstartModel, '--template', 'alpaca', '--device', 'cpu']
const predict = (...flags: string[]) => [
  ...['predict', ...model, '--generate.maxNewTokens', '4', '-o', 'answers.jsonl', ...flags],
]

test('one record that is too long costs no other its answer', () => {
  writeFileSync(folder.path('answers.jsonl'), 'of the last run\n')
  const { code, stderr } = folder.ift(predict('--input', 'records.jsonl', '--overwrite'))
  expect(code, stderr).toBe(0)
  const lines = folder.lines('answers.jsonl') as Line[]
  expect(lines.map(({ generate }) => typeof generate)).toEqual(['string', 'undefined', 'string'])
  expect(lines[1]!.error!.code).toBe('IFT_SEQUENCE_TOO_LONG')
  expect(lines[1]!.error!.message).toContain('records.jsonl:2')
  expect(lines[1]!.error!.message).toContain('1231 tokens')
  expect(stderr).toContain('1 records could not be answered')
  // The answers of the others are those that they get without it.
  const records = folder.read('records.jsonl').split('\n')
  writeFileSync(folder.path('short.jsonl'), `${records[0]}\n${records[2]}\n`)
  folder.output(...predict('--input', 'short.jsonl', '--overwrite'))
  const alone = folder.lines('answers.jsonl') as Line[]
  expect(alone.map(({ generate }) => generate)).toEqual([lines[0]!.generate, lines[2]!.generate])
}, 30_000)

test('what --overwrite replaces stays until there is something in its place', async () => {
  writeFileSync(folder.path('answers.jsonl'), 'of the last run\n')
  writeFileSync(folder.path('bad.jsonl'), `${folder.read('records.jsonl').split('\n')[0]}\n{"no": "record"\n`)
  const bad = folder.ift(predict('--input', 'bad.jsonl', '--overwrite'))
  expect(bad.code).not.toBe(0)
  expect(bad.stderr).toContain('bad.jsonl:2')
  expect(folder.read('answers.jsonl')).toBe('of the last run\n')
  expect(existsSync(folder.path('answers.jsonl.partial'))).toBe(false)

  // Killed in the middle: the old answers are whole, and the new ones so far are there as well.
  const rows = Array.from({ length: 2000 }, (_, i) => JSON.stringify({ instruction: `say ${i}`, input: '' }))
  writeFileSync(folder.path('many.jsonl'), rows.join('\n'))
  const running = folder.start(predict('--input', 'many.jsonl', '--overwrite'))
  const partial = folder.path('answers.jsonl.partial')
  await running.until(() => existsSync(partial) && folder.read('answers.jsonl.partial').includes('\n'))
  running.child.kill('SIGKILL')
  await running.ended
  expect(folder.read('answers.jsonl')).toBe('of the last run\n')
  expect(folder.read('answers.jsonl.partial')).toContain('"generate"')
  // They are not lost by typing the command again.
  const again = folder.ift(['predict', ...model, '--input', 'records.jsonl', '-o', 'answers.jsonl'])
  expect(again.code).not.toBe(0)
}, 30_000)

test('score gives a text that is too long a line as well', () => {
  const long = 'apple '.repeat(1200)
  writeFileSync(
    folder.path('texts.jsonl'),
    `{"text":"one"}\n${JSON.stringify({ text: long })}\n{"text":"two"}\n`,
  )
  const { code, stderr } = folder.ift(['score', ...model, '--input', 'texts.jsonl', '-o', 'scores.jsonl'])
  expect(code, stderr).toBe(0)
  const lines = folder.lines('scores.jsonl') as { logprobs?: unknown; error?: { message: string } }[]
  expect(lines.map(({ logprobs }) => Array.isArray(logprobs))).toEqual([true, false, true])
  expect(lines[1]!.error!.message).toContain('texts.jsonl:2')
}, 30_000)
