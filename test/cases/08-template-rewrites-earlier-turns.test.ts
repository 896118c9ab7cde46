import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, chatCase, type ChatCase } from './chat.fixture.js'

let model: ChatCase
beforeAll(() => {
  model = chatCase('08-template-rewrites-earlier-turns')
})
afterAll(() => model.remove())

const whole = (first: string) =>
  `<|im_start|>user\nA?<|im_end|>\n<|im_start|>assistant\n${first}\n<|im_start|>user\nC?<|im_end|>\n` +
  '<|im_start|>assistant\n«<think>\n\n</think>\n\nD.<|im_end|>»\n'

test('the text is what the template makes of the whole conversation', () => {
  expect(model.texts('rounds.jsonl')).toEqual([whole('«B.<|im_end|>»')])
  expect(model.texts('rounds.jsonl', '--trainOn', 'last')).toEqual([whole('B.<|im_end|>')])
})

const start = "'<|im_start|>' + m.role + '\\n'"
const user = (role: string, content: string) => ({ role, content })
const record = {
  messages: [
    user('user', 'A?'),
    { role: 'assistant', content: 'B.', reasoning_content: 'one' },
    user('user', 'C?'),
    { role: 'assistant', content: 'D.', reasoning_content: 'two' },
  ],
}

test('reasoning that is taken out of earlier turns', () => {
  const template =
    `{%- set ns = namespace(last=-1) %}{%- for m in messages %}{%- if m.role == 'user' %}{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}` +
    `{%- for m in messages %}{{- ${start} }}{%- if m.reasoning_content and loop.index0 > ns.last %}{{- '<think>\\n' + m.reasoning_content.strip('\\n') + '\\n</think>\\n\\n' }}{%- endif %}{{- m.content.lstrip('\\n') + '<|im_end|>\\n' }}{%- endfor %}${ask}`
  expect(model.of(template, [record])).toEqual([
    '<|im_start|>user\nA?<|im_end|>\n<|im_start|>assistant\n«B.<|im_end|>»\n<|im_start|>user\nC?<|im_end|>\n' +
      '<|im_start|>assistant\n«<think>\ntwo\n</think>\n\nD.<|im_end|>»\n',
  ])
})

test('an earlier answer that the template leaves out is not learned', () => {
  const template = `{%- for m in messages %}{{- ${start} + ('(gone)' if m.role == 'assistant' and not loop.last else m.content) + '<|im_end|>\\n' }}{%- endfor %}${ask}`
  const [text] = model.of(template, [record])
  expect(text).toContain('assistant\n(gone)<|im_end|>')
  expect(text).toContain('assistant\n«D.<|im_end|>»')
})

test('a template that writes no answer at all is an error that names the record', () => {
  const template = `{%- for m in messages %}{{- ${start} + (m.content if m.role == 'user' else '') + '<|im_end|>\\n' }}{%- endfor %}${ask}`
  const { stderr } = model.refused(template, [record])
  expect(stderr).toContain('IFT_TEMPLATE_UNSTABLE')
  expect(stderr).toMatch(/records-\d+\.jsonl:1/)
})

test('two answers in a row: what stands between them is not learned', () => {
  const template = `{%- for m in messages %}{{- ${start} + m.content + '<|im_end|>\\n' }}{%- endfor %}${ask}`
  const messages = [user('user', 'A?'), user('assistant', 'B.'), user('assistant', 'C.')]
  expect(model.of(template, [{ messages }])).toEqual([
    '<|im_start|>user\nA?<|im_end|>\n<|im_start|>assistant\n«B.<|im_end|>»\n<|im_start|>assistant\n«C.<|im_end|>»\n',
  ])
})
