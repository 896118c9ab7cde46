import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, chatCase, type ChatCase } from './chat.fixture.js'

let model: ChatCase
beforeAll(() => {
  model = chatCase('07-tool-arguments-as-text')
})
afterAll(() => model.remove())

const right =
  '<|im_start|>user\nWeather in Oslo?<|im_end|>\n<|im_start|>assistant\n' +
  '«{"name": "weather", "arguments": {"city": "Oslo"}}<|im_end|>»\n<|im_start|>tool\n3 C<|im_end|>\n' +
  '<|im_start|>assistant\n«3 degrees.<|im_end|>»\n'

test('arguments in a text and as an object give the same answer', () => {
  expect(model.texts('as-text.jsonl')).toEqual([right])
  expect(model.texts('as-object.jsonl')).toEqual([right])
})

const head = "{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' }}"
const foot = `{{- (m.content or '') + '<|im_end|>\\n' }}{%- endfor %}${ask}`
const calls = (inner: string) => `${head}{%- for c in m.tool_calls or [] %}${inner}{%- endfor %}${foot}`
const record = (given: unknown, content: string | null = '') => ({
  messages: [
    { role: 'user', content: 'Q' },
    {
      role: 'assistant',
      content,
      tool_calls: [{ type: 'function', function: { name: 'f', arguments: given } }],
    },
  ],
})
const answer = (text: string) => [
  `<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n«${text}<|im_end|>»\n`,
]

test.each([
  ['items', '{%- for k, v in c.function.arguments.items() %}{{- k }}={{ v }};{%- endfor %}', 'a=1;b=[None];'],
  [
    'the filter items',
    '{%- for k, v in c.function.arguments | items %}{{- k }}={{ v }};{%- endfor %}',
    'a=1;b=[None];',
  ],
  ['a field', '{{- c.function.arguments.a + 1 }}', '2'],
  ['a loop over keys', '{%- for k in c.function.arguments %}{{- k }};{%- endfor %}', 'a;b;'],
  ['the whole call', '{{- c.function | tojson }}', '{"name": "f", "arguments": {"a": 1, "b": [null]}}'],
  [
    'a mapping or nothing',
    '{%- if c.function.arguments is mapping %}{{- c.function.arguments | tojson }}{%- endif %}',
    '{"a": 1, "b": [null]}',
  ],
])('a template that needs an object gets one from a text: %s', (_, inner, text) => {
  expect(model.of(calls(inner), [record('{"a": 1, "b": [null]}')])).toEqual(answer(text))
})

test('a template that asks for a text keeps the one that was given; what is no JSON stays a text', () => {
  const asks =
    '{%- if c.function.arguments is string %}{{- c.function.arguments }}{%- else %}{{- c.function.arguments | tojson }}{%- endif %}'
  expect(model.of(calls(asks), [record('{"a":1}')])).toEqual(answer('{"a":1}'))
  expect(model.of(calls('{{- c.function.arguments | tojson }}'), [record('no JSON')])).toEqual(
    answer('"no JSON"'),
  )
})

test('a call whose content is null, as OpenAI writes it', () => {
  const plain = `${head}{%- for c in m.tool_calls or [] %}{{- c.function.arguments | tojson }}{%- endfor %}{{- m.content + '<|im_end|>\\n' }}{%- endfor %}${ask}`
  expect(model.of(plain, [record('{"a": 1}', null)])).toEqual(answer('{"a": 1}'))
  const asks = `${head}{%- if m.content is none %}{{- 'none' }}{%- endif %}${foot}`
  expect(model.of(asks, [record('{"a": 1}', null)])).toEqual(answer('none'))
})
