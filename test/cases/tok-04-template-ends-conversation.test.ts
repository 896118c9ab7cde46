import { afterAll, beforeAll, expect, test } from 'vitest'
import { chatCase, type ChatCase } from './chat.fixture.js'

let model: ChatCase
beforeAll(() => {
  model = chatCase('tok-04-template-ends-conversation')
})
afterAll(() => model.remove())

const text = (first: string, second: string) =>
  `<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n${first}\n<|im_start|>user\nTwo?<|im_end|>\n<|im_start|>assistant\n${second}\n<|endoftext|>`

test('both answers are learned, and what ends the conversation is not', () => {
  expect(model.texts('two.jsonl')).toEqual([text('«1.<|im_end|>»', '«2.<|im_end|>»')])
  expect(model.texts('two.jsonl', '--trainOn', 'last')).toEqual([text('1.<|im_end|>', '«2.<|im_end|>»')])
})

test('a text behind the conversation that is no token', () => {
  const template = model.read('chat_template.jinja').replace("'<|endoftext|>'", "'\\n(the end)'")
  const rounds = model.lines('two.jsonl') as object[]
  expect(model.of(template, rounds)).toEqual([
    text('«1.<|im_end|>»', '«2.<|im_end|>»').replace('<|endoftext|>', '\n(the end)'),
  ])
})
