import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, chatCase, type ChatCase } from './chat.fixture.js'

let model: ChatCase
beforeAll(() => {
  model = chatCase('tok-07-object-map')
})
afterAll(() => model.remove())

const right =
  '<|im_start|>user\nW?<|im_end|>\n<|im_start|>assistant\n«<call>w({"city": "Oslo"})<|im_end|>»\n' +
  '<|im_start|>tool\n3<|im_end|>\n<|im_start|>assistant\n«3.<|im_end|>»\n'

test('arguments that a template joins to a text are the JSON of the object', () => {
  expect(model.texts('as-text.jsonl')).toEqual([right])
  expect(model.texts('as-object.jsonl')).toEqual([right])
})

const record = {
  messages: [
    { role: 'user', content: 'Q' },
    {
      role: 'assistant',
      content: 'A',
      extra: { a: 1, b: [true, null], c: "it's" },
      list: [1, { x: 'y' }, 'z'],
    },
  ],
}
const answered = (expression: string) =>
  `{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}{%- if m.role == 'assistant' %}${expression}{%- endif %}{{- m.content + '<|im_end|>\\n' }}{%- endfor %}${ask}`

test.each([
  ['{{ x }}', '{{- m.extra }}', "{'a': 1, 'b': [True, None], 'c': \"it's\"}"],
  ['~', "{{- '' ~ m.extra ~ m.list }}", "{'a': 1, 'b': [True, None], 'c': \"it's\"}[1, {'x': 'y'}, 'z']"],
  ['join', "{{- m.list | join(', ') }}", "1, {'x': 'y'}, z"],
  [
    'string',
    '{{- m.extra | string }}{{ m.list | string }}',
    "{'a': 1, 'b': [True, None], 'c': \"it's\"}[1, {'x': 'y'}, 'z']",
  ],
  ['trim', '{{- m.list | trim }}', "[1, {'x': 'y'}, 'z']"],
  ['format', "{{- '%s|{}'.format(m.list) % m.extra.b }}", "[True, None]|[1, {'x': 'y'}, 'z']"],
])('objects and lists in a text are those of Python: %s', (_, expression, text) => {
  expect(model.of(answered(expression), [record])).toEqual([
    `<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n«${text}A<|im_end|>»\n`,
  ])
})

test('what cannot be joined is an error that names the record', () => {
  const { stderr } = model.refused(answered("{{- 'x' + m.extra }}"), [record])
  expect(stderr).toContain('IFT_TEMPLATE_FAILED')
  expect(stderr).toContain('can only concatenate str (not "dict") to str')
  expect(stderr).toMatch(/records-\d+\.jsonl:1/)
})
