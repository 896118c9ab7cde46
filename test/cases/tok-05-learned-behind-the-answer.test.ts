import { afterAll, beforeAll, expect, test } from 'vitest'
import { chatCase, type ChatCase } from './chat.fixture.js'

let model: ChatCase
beforeAll(() => {
  model = chatCase('tok-05-learned-behind-the-answer')
})
afterAll(() => model.remove())

test('what follows the token that ends an answer belongs to nobody', () => {
  expect(model.texts('one.jsonl')).toEqual([
    '<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n«1.<|im_end|>»\n<|im_start|>assistant\n',
  ])
})

const question = { role: 'user', content: 'One?' }

test('several rounds and calls', () => {
  const template = model
    .read('chat_template.jinja')
    .replace('m.content', "m.content + ('<call>' + m.tool_calls[0].name + '</call>' if m.tool_calls else '')")
  const messages = [
    question,
    { role: 'assistant', content: '', tool_calls: [{ name: 'f', arguments: {} }] },
    { role: 'tool', content: 'r' },
    { role: 'assistant', content: '1.' },
    question,
    { role: 'assistant', content: '2.' },
  ]
  expect(model.of(template, [{ messages }])).toEqual([
    '<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n«<call>f</call><|im_end|>»\n<|im_start|>tool\nr<|im_end|>\n' +
      '<|im_start|>assistant\n«1.<|im_end|>»\n<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n«2.<|im_end|>»\n<|im_start|>assistant\n',
  ])
})

test('an answer that quotes the question and the header', () => {
  const content = 'One? user\nassistant\nOne?'
  expect(
    model.of(model.read('chat_template.jinja'), [{ messages: [question, { role: 'assistant', content }] }]),
  ).toEqual([
    `<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n«${content}<|im_end|>»\n<|im_start|>assistant\n`,
  ])
})

test('a template without end tokens: a call is learned to its end, and what asks again is not learned', () => {
  const template =
    "{%- for m in messages %}{{- '### ' + m.role + ':\\n' + m.content }}{%- for c in m.tool_calls or [] %}{{- '<call>' + c.name + '</call>' }}{%- endfor %}{{- '\\n\\n' }}{%- endfor %}{{- '### assistant:\\n' }}"
  const messages = [
    question,
    { role: 'assistant', content: '', tool_calls: [{ name: 'f', arguments: {} }] },
    { role: 'tool', content: 'r' },
    { role: 'assistant', content: '1.' },
  ]
  expect(model.of(template, [{ messages }])).toEqual([
    '### user:\nOne?\n\n### assistant:\n«<call>f</call>\n\n»### tool:\nr\n\n### assistant:\n«1.\n\n<|endoftext|>»### assistant:\n',
  ])
})
