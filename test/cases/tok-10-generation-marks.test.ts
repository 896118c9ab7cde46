import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, chatCase, type ChatCase } from './chat.fixture.js'

let model: ChatCase
beforeAll(() => {
  model = chatCase('tok-10-generation-marks')
})
afterAll(() => model.remove())

const one = '<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n«1.<|im_end|>»\n'
const two = (first: string) =>
  `<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n${first}\n<|im_start|>user\nTwo?<|im_end|>\n<|im_start|>assistant\n«2.<|im_end|>»\n<|endoftext|>`

test('what stands between the marks is learned, and only that', () => {
  expect(model.texts('one.jsonl')).toEqual([`${one}<|endoftext|>`])
  expect(model.texts('two.jsonl')).toEqual([two('«1.<|im_end|>»')])
  expect(model.texts('two.jsonl', '--trainOn', 'last')).toEqual([two('1.<|im_end|>')])
})

test.each([
  [
    'inside a macro',
    '{%- macro say(m) %}{% generation %}{{ m.content }}{% endgeneration %}{% endmacro %}',
    '{{- say(m) }}',
    '«1.»<|im_end|>',
  ],
  [
    'with white space',
    '',
    "{%  generation  -%}\n  {{ m.content }}{{ '<|im_end|>' }}\n  {%- endgeneration %}",
    '«1.<|im_end|>»',
  ],
  [
    'around a part',
    '',
    "{{- 'A: ' }}{% generation %}{{ m.content }}{% endgeneration %}{{ '<|im_end|>' }}",
    'A: «1.»<|im_end|>',
  ],
])('marks %s', (_, before, inner, answer) => {
  const template =
    `${before}{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}{%- if m.role == 'assistant' %}${inner}` +
    (answer.endsWith('<|im_end|>') && !inner.includes('im_end') ? "{{- '<|im_end|>' }}" : '') +
    `{%- else %}{{- m.content + '<|im_end|>' }}{%- endif %}{{- '\\n' }}{%- endfor %}${ask}`
  expect(model.of(template, model.lines('one.jsonl') as object[])).toEqual([
    `<|im_start|>user\nOne?<|im_end|>\n<|im_start|>assistant\n${answer}\n`,
  ])
})

test('an answer of weight 0 is not learned between marks either', () => {
  const messages = [
    { role: 'user', content: 'One?' },
    { role: 'assistant', content: '1.', weight: 0 },
    { role: 'user', content: 'Two?' },
    { role: 'assistant', content: '2.' },
  ]
  expect(model.of(model.read('chat_template.jinja'), [{ messages }])).toEqual([two('1.<|im_end|>')])
})
