import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, chatCase, type ChatCase } from './chat.fixture.js'

let model: ChatCase
beforeAll(() => {
  model = chatCase('09-template-strip-arguments')
})
afterAll(() => model.remove())

test('an answer keeps its indentation', () => {
  expect(model.texts('code.jsonl')[0]).toContain('<|im_start|>assistant\n«    return x\n<|im_end|>»')
})

const answered = (expression: string) =>
  `{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' + (${expression}) + '<|im_end|>\\n' }}{%- endfor %}${ask}`
const record = (content: string) => ({
  messages: [
    { role: 'user', content: 'Q' },
    { role: 'assistant', content },
  ],
})

test.each([
  ["m.content.strip('x')", 'xx a xx', ' a '],
  ["m.content.strip('xy ')", 'x y a yx', 'a'],
  ["m.content.lstrip('.,')", '.,., a.,', ' a.,'],
  ["m.content.rstrip('\\n')", 'a  \n\n', 'a  '],
  ["m.content.rstrip('0')", '100', '1'],
  ["m.content | trim('-')", '--a--', 'a'],
  ['m.content.strip()', ' \t\n a b \r\n', 'a b'],
  ["m.content.split('|', 1)[1]", 'a|b|c', 'b|c'],
  ["m.content.rsplit('|', 1)[0]", 'a|b|c', 'a|b'],
  ['m.content.split()[-1]', ' a  b ', 'b'],
  ["m.content.replace('a', 'b', 1)", 'aa', 'ba'],
  ['m.content[1:-1]', '(a)', 'a'],
  ["m.content.removeprefix('a')", 'aab', 'ab'],
])('%s as Python does it', (expression, content, text) => {
  const template = answered(`${expression} if m.role == 'assistant' else m.content`)
  expect(model.of(template, [record(content)])[0]).toContain(`<|im_start|>assistant\n«${text}<|im_end|>»`)
})
