import { afterAll, beforeAll, expect, test } from 'vitest'
import { chatCase, type ChatCase } from './chat.fixture.js'

let model: ChatCase
beforeAll(() => {
  model = chatCase('tok-06-template-line-ends')
})
afterAll(() => model.remove())

const right = '<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n«1.<|im_end|>»\n'

test('a template with the line ends of Windows makes the text of one with those of Unix', () => {
  expect(model.read('chat_template.jinja')).toContain('\r\n')
  expect(model.texts('one.jsonl')).toEqual([right])
})

test('with carriage returns alone, too; line ends of messages stay', () => {
  const unix = model.read('chat_template.jinja').replaceAll('\r\n', '\n')
  expect(model.of(unix.replaceAll('\n', '\r'), model.lines('one.jsonl') as object[])).toEqual([right])
  const messages = [
    { role: 'user', content: 'a\r\nb' },
    { role: 'assistant', content: 'c\rd\r\ne' },
  ]
  expect(model.of(unix.replaceAll('\n', '\r\n'), [{ messages }])).toEqual([
    '<|im_start|>user\na\r\nb<|im_end|>\n<|im_start|>assistant\n«c\rd\r\ne<|im_end|>»\n',
  ])
})
