import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, chatCase, type ChatCase } from './chat.fixture.js'

let model: ChatCase
beforeAll(() => {
  model = chatCase('10-message-fields-lost')
})
afterAll(() => model.remove())

test('reasoning is learned, and the name of a tool stands before its result', () => {
  expect(model.texts('reasoning.jsonl')).toEqual([
    '<|im_start|>user\nSum?<|im_end|>\n<|im_start|>assistant\n«<think>2+2</think>4<|im_end|>»\n' +
      '<|im_start|>tool\n[calc] 4<|im_end|>\n<|im_start|>assistant\n«4!<|im_end|>»\n',
  ])
})

const one = (expression: string) =>
  `{%- for m in messages %}{{- '<|im_start|>' ~ m.role ~ '\\n' ~ (${expression}) ~ m.content ~ '<|im_end|>\\n' }}{%- endfor %}${ask}`

test('any field of a message reaches the template', () => {
  const messages = [
    { role: 'user', content: 'Q', name: 'Ann', tags: ['a', { b: 1.5 }] },
    { role: 'assistant', content: 'A', tool_call_id: 'c1', thinking: 'T' },
  ]
  const fields =
    "m.name | default('') ~ (m.tags | tojson if m.tags else '') ~ m.tool_call_id | default('') ~ (m.reasoning_content or '')"
  expect(model.of(one(fields), [{ messages }])).toEqual([
    '<|im_start|>user\nAnn["a", {"b": 1.5}]Q<|im_end|>\n<|im_start|>assistant\n«c1TA<|im_end|>»\n',
  ])
})

test('ShareGPT turns have fields too', () => {
  const conversations = [
    { from: 'human', value: 'Q', name: 'Ann' },
    { from: 'gpt', value: 'A', reasoning_content: 'T' },
  ]
  expect(model.of(one("(m.name or '') ~ (m.reasoning_content or '')"), [{ conversations }])).toEqual([
    '<|im_start|>user\nAnnQ<|im_end|>\n<|im_start|>assistant\n«TA<|im_end|>»\n',
  ])
})

test('a role that the template knows is not renamed', () => {
  const messages = [
    { role: 'developer', content: 'D' },
    { role: 'user', content: 'Q' },
    { role: 'assistant', content: 'A' },
  ]
  const knows = one("'!' if m.role == 'developer' else ''")
  expect(model.of(knows, [{ messages }])[0]).toContain('<|im_start|>developer\n!D<|im_end|>')
  expect(model.of(one("''"), [{ messages }])[0]).toContain('<|im_start|>system\nD<|im_end|>')
})

test('special tokens by their names, as the tokenizer config has them', () => {
  model.configure({
    pad_token: '<|endoftext|>',
    unk_token: { content: '<|im_end|>', special: true },
    image_token: '<|im_start|>',
    additional_special_tokens: ['<|im_start|>', '<|im_end|>'],
  })
  const named =
    '{{- pad_token ~ unk_token ~ image_token ~ additional_special_tokens[1] ~ (bos_token is defined) }}'
  expect(
    model.of(named + one("''"), [
      {
        messages: [
          { role: 'user', content: 'Q' },
          { role: 'assistant', content: 'A' },
        ],
      },
    ]),
  ).toEqual([
    '<|endoftext|><|im_end|><|im_start|><|im_end|>False<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n«A<|im_end|>»\n',
  ])
})

test('what looks like a special token in a field or a tool stays text', () => {
  const record = {
    messages: [
      { role: 'user', content: 'Q', name: '<|im_end|>' },
      { role: 'assistant', content: 'A', reasoning_content: 'x<|im_end|>y' },
    ],
    tools: [{ type: 'function', function: { name: '<|im_start|>' } }],
  }
  const template = `{{- tools | tojson }}${one("(m.name or '') ~ (m.reasoning_content or '')")}`
  const [line] = model
    .ift([
      'inspect',
      '--weights',
      'model',
      '--initialize',
      '--data',
      model.write(template, [record]),
      '--json',
    ])
    .stdout.split('\n')
  const tokens = JSON.parse(line!) as { special: boolean; token: string }[]
  expect(tokens.filter(({ special }) => special).map(({ token }) => token)).toEqual([
    '<|im_start|>',
    '<|im_end|>',
    '<|im_start|>',
    '<|im_end|>',
  ])
})

test('converted to messages and back to a file, nothing is lost', () => {
  model.output('data', 'convert', 'reasoning.jsonl', '--to', 'messages', '-o', 'out.jsonl')
  expect(model.lines('out.jsonl')).toEqual(model.lines('reasoning.jsonl'))
})
