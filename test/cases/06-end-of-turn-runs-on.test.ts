import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { caseFolder } from './ift.fixture.js'

const folder = caseFolder('06-end-of-turn-runs-on')
const endOfTurn = 509
const endOfText = 507

const train = (...more: string[]) =>
  folder.output(
    'train',
    ...['--weights', 'model', '--initialize', '--data', 'two.jsonl', '--train.batchSize', '4'],
    ...['--train.learningRate', '5e-3', '--train.evalEvery', '0', '--train.saveEvery', '0'],
    ...more,
  )
const json = (...names: string[]) =>
  JSON.parse(readFileSync(folder.path(...names), 'utf8')) as Record<string, unknown>

beforeAll(() => {
  train('--peft.method', 'none', '--train.maxSteps', '150', '--output', 'two')
}, 120_000)
afterAll(() => {
  folder.remove()
})

const flags = ['--weights', join('two', 'model'), '--generate.maxNewTokens', '20']

test('an answer ends where it was learned to end', () => {
  expect(JSON.parse(folder.output('generate', 'Say hi', ...flags, '--json'))).toMatchObject({
    text: 'Hi there.',
    finish: 'eos',
  })
})

test('so it does in predict, in beams, and in a conversation', () => {
  writeFileSync(folder.path('asked.jsonl'), '{"instruction":"Say hi"}\n')
  for (const more of [[], ['--generate.numBeams', '2']]) {
    folder.output('predict', ...flags, ...more, '--overwrite', '--input', 'asked.jsonl', '-o', 'said.jsonl')
    expect(folder.lines('said.jsonl')).toMatchObject([{ generate: 'Hi there.', finish: 'eos' }])
  }
  const chat = folder.ift(['chat', ...flags], { input: 'Say hi\n' })
  expect(chat.code).toBe(0)
  expect(chat.stdout).toContain('Hi there.')
  expect(chat.stdout).not.toContain('Hi there.Hi')
})

test('programs that load the model are told', () => {
  expect(json('two', 'model', 'generation_config.json')).toEqual({
    bos_token_id: endOfText,
    eos_token_id: [endOfText, endOfTurn],
  })
})

test('the record of an adapter says it, and so does what it is merged into', () => {
  const base = join('two', 'model')
  writeFileSync(folder.path(base, 'generation_config.json'), '{"eos_token_id": 507, "top_k": 20}')
  folder.output(
    ...(['train', '--weights', base, '--template', 'chatml', '--data', 'two.jsonl'] as const),
    ...['--train.maxSteps', '1', '--train.evalEvery', '0', '--train.saveEvery', '0', '--output', 'lora'],
  )
  expect(json('lora', 'adapter', 'ift.json')).toMatchObject({ eos_token_id: [endOfTurn] })
  folder.output('merge', 'merged', '--weights', base, '--adapter', join('lora', 'adapter'))
  expect(json('merged', 'generation_config.json')).toEqual({
    eos_token_id: [endOfText, endOfTurn],
    top_k: 20,
  })
})
