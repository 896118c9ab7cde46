import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, chatCase, type ChatCase } from './chat.fixture.js'

let model: ChatCase
beforeAll(() => {
  model = chatCase('tok-08-null-argument')
})
afterAll(() => model.remove())

test('a null among arguments is None', () => {
  expect(model.texts('call.jsonl')).toEqual([
    '<|im_start|>user\nW?<|im_end|>\n<|im_start|>assistant\n«<city>Oslo<unit>None<|im_end|>»\n' +
      '<|im_start|>tool\n3<|im_end|>\n<|im_start|>assistant\n«3.<|im_end|>»\n',
  ])
})

const record = {
  messages: [
    { role: 'user', content: 'Q' },
    {
      role: 'assistant',
      content: 'A',
      none: null,
      yes: true,
      list: [1, 2.5, null],
      map: { a: false },
      big: 1e21,
    },
  ],
}

test.each([
  ['m.none | string', 'None'],
  ['m.yes | string', 'True'],
  ['m.list | string', '[1, 2.5, None]'],
  ['m.map | string', "{'a': False}"],
  ['m.nothing | string', ''],
  ['m.nothing | trim', ''],
  ['m.none | trim', 'None'],
  ['m.list | upper', '[1, 2.5, NONE]'],
  ["(m.nothing in ['x']) ~ ('x' in m.nothing)", 'FalseFalse'],
  ['(2.5 in m.list) ~ (none in m.list)', 'TrueTrue'],
  ['m.nothing | length', '0'],
  ['m.list | tojson', '[1, 2.5, null]'],
  ['(3 / 2) ~ (4 / 2) ~ (7 // 2) ~ 1.0', '1.52.031.0'],
  ['(m.none == false) ~ (m.nothing == none)', 'FalseFalse'],
  ["m.none | default('d') ~ m.none | default('d', true)", 'Noned'],
  ['(m.map.b is defined) ~ (m.none is defined) ~ (m.yes is number)', 'FalseTrueTrue'],
  ["m.list | map('string') | join('|')", '1|2.5|None'],
  ["m.list | select('number') | list", '[1, 2.5]'],
  ['(3 is divisibleby(3)) ~ (1 is in [1, 2])', 'TrueTrue'],
])('%s', (expression, text) => {
  const template = `{%- for m in messages %}{{- '<|im_start|>' ~ m.role ~ '\\n' ~ (${expression} if m.role == 'assistant' else '') ~ m.content ~ '<|im_end|>\\n' }}{%- endfor %}${ask}`
  expect(model.of(template, [record])[0]).toContain(`<|im_start|>assistant\n«${text}A<|im_end|>»`)
})
