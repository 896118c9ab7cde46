import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, quickstartModel, root } from './ift.fixture.js'

const folder = caseFolder('03-predict-system-history')
afterAll(() => {
  folder.remove()
})

/** What the model says to each record of a file. */
function answers(file: string, template = 'vicuna', tokens = 16): string[] {
  const flags = ['--weights', quickstartModel, '--template', template]
  const count = ['--generate.maxNewTokens', String(tokens), '--overwrite']
  folder.output('predict', ...flags, ...count, '--input', file, '-o', `${file}.out`)
  return (folder.lines(`${file}.out`) as { generate: string }[]).map(({ generate }) => generate)
}

function written(name: string, records: readonly object[]): string {
  writeFileSync(folder.path(name), records.map((record) => `${JSON.stringify(record)}\n`).join(''))
  return name
}

test('instructions with system and history are answered as the same messages are', () => {
  const said = answers('messages.jsonl')
  expect(new Set(said).size).toBe(4)
  expect(answers('alpaca.jsonl')).toEqual(said)
})

// The same question in the forms that data takes, with and without a place for the answer.
const history = [['Where does the cat sleep?', 'In the kitchen.']]
const system = 'You are a pirate.'
const question = 'Where did the dog go?'
const turns = [
  { role: 'system', content: system },
  { role: 'user', content: history[0]![0] },
  { role: 'assistant', content: history[0]![1] },
  { role: 'user', content: question },
]
const sharegpt = [
  { from: 'human', value: history[0]![0] },
  { from: 'gpt', value: history[0]![1] },
  { from: 'human', value: question },
]

test('every form is answered alike, whatever stands where the answer will be', () => {
  const records: Record<string, object> = {
    messages: { messages: turns },
    'messages that end with an answer': { messages: [...turns, { role: 'assistant', content: 'Away.' }] },
    'messages that end with an empty one': { messages: [...turns, { role: 'assistant', content: null }] },
    instruction: { instruction: question, system, history },
    'instruction with its output': { instruction: question, output: 'Away.', system, history },
    'instruction with an output of null': { instruction: question, output: null, system, history },
    question: { question, system, history },
    prompt: { prompt: question, response: '', system, history },
    sharegpt: { conversations: sharegpt, system },
    'sharegpt with the answer': { conversations: [...sharegpt, { from: 'gpt', value: 'Away.' }], system },
  }
  const said: Record<string, string> = {}
  for (const [form, record] of Object.entries(records))
    said[form] = answers(written('form.jsonl', [record]))[0]!
  expect(new Set(Object.values(said)), JSON.stringify(said, null, 2)).toEqual(new Set([said['messages']]))
  expect(said['messages']).not.toBe(answers(written('form.jsonl', [{ instruction: question }]))[0])
}, 120_000)

test('tools are in the prompt as in training', () => {
  cpSync(join(root, 'fixtures/cases/06-end-of-turn-runs-on/model'), folder.path('model'), { recursive: true })
  const path = folder.path('model', 'tokenizer_config.json')
  const settings = JSON.parse(readFileSync(path, 'utf8')) as { chat_template: string }
  // At the end, where a model without training looks.
  settings.chat_template = `${settings.chat_template}{% if tools %}{{ tools | tojson }}{% endif %}`
  writeFileSync(path, JSON.stringify(settings))
  const messages = [{ role: 'user', content: 'What is the weather?' }]
  const tools = [{ type: 'function', function: { name: 'weather', parameters: {} } }]
  written('tools.jsonl', [{ messages }, { messages, tools }])
  const flags = ['--weights', 'model', '--initialize', '--generate.maxNewTokens', '12']
  folder.output('predict', ...flags, '--input', 'tools.jsonl', '-o', 'tools.out')
  const [without, withTools] = folder.lines('tools.out') as { generate: string }[]
  expect(withTools!.generate).not.toBe(without!.generate)
})

test('prompts of completions are no conversations, and rounds may lack their last answer', () => {
  const prompt = 'Human: hello\nAssistant:'
  const files = [
    written('asked.jsonl', [{ prompt }]),
    written('answered.jsonl', [{ prompt, completion: ' hello' }]),
    written('firefly.jsonl', [{ conversation: [{ human: question }] }]),
    written('lists.jsonl', [{ input: [question], output: [] }]),
    written('asked-once.jsonl', [{ instruction: question }]),
  ]
  const [asked, answered, firefly, lists, once] = files.map((file) => answers(file, 'plain')[0])
  expect(asked).toBe(answered)
  expect(firefly).toBe(once)
  expect(lists).toBe(once)
})
