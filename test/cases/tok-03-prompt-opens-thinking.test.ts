import { afterAll, beforeAll, expect, test } from 'vitest'
import { chatCase, type ChatCase } from './chat.fixture.js'

let model: ChatCase
beforeAll(() => {
  model = chatCase('tok-03-prompt-opens-thinking')
})
afterAll(() => model.remove())

test('an answer is learned as the template writes it, without what the prompt opens', () => {
  expect(model.texts('one.jsonl')).toEqual([
    '<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n«1.<|im_end|>»\n',
  ])
})

const rounds = (first: string, second: string) => ({
  messages: [
    { role: 'user', content: 'One?' },
    { role: 'assistant', content: first },
    { role: 'user', content: 'Two?' },
    { role: 'assistant', content: second },
  ],
})
const text = (first: string, second: string) =>
  `<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n${first}\n<|im_start|>user\nTwo?<|im_end|>\n<|im_start|>assistant\n${second}\n`

test('several rounds, with thoughts that the template takes out', () => {
  const template = model.read('chat_template.jinja')
  expect(model.of(template, [rounds('<think>\na\n</think>1.', '<think>\nb\n</think>2.')])).toEqual([
    text('«1.<|im_end|>»', '«2.<|im_end|>»'),
  ])
})

test('a template that keeps the thoughts: the answer begins behind what the prompt opens', () => {
  const template = model.read('chat_template.jinja').replace("m.content.split('</think>')[-1]", 'm.content')
  expect(model.of(template, [rounds('<think>\na\n</think>1.', '2.')])).toEqual([
    text('<think>\n«a\n</think>1.<|im_end|>»', '«2.<|im_end|>»'),
  ])
})
