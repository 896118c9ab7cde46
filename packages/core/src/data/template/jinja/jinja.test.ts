import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  CallArguments,
  compileTemplate,
  fromJson,
  marked,
  numberFromText,
  takeMarks,
  type Value,
} from './index.js'

interface Case {
  readonly source: string
  readonly text?: string
  readonly error?: string
}
const file = new URL('../../../../../../fixtures/jinja/expressions.json', import.meta.url)
const { context, cases } = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly context: Readonly<Record<string, unknown>>
  readonly cases: readonly Case[]
}
const values = new Map<string, Value>(Object.entries(context).map(([name, value]) => [name, fromJson(value)]))
// JSON.parse reads these as other numbers than Python does.
values.set('big', numberFromText('12345678901234567890'))
values.set('l', [1, numberFromText('2.0'), 'a', null, true])

const render = (source: string, given: Readonly<Record<string, Value>> = {}) =>
  compileTemplate(source).render(new Map([...values, ...Object.entries(given)]))

describe('as transformers renders it', () => {
  test.each(cases)('$source', ({ source, text }) => {
    if (text === undefined) expect(() => render(source)).toThrow()
    else expect(render(source)).toBe(text)
  })
})

describe('marks', () => {
  const text = (source: string, content: string) => {
    const rendered = takeMarks(render(source, { x: marked(content, 12) }))
    expect(rendered.text).toBe(render(source, { x: content }))
    return rendered.marks.map(({ number, opens, at }) => [number, opens, at])
  }
  const both = (start: number, end: number) => [
    [12, true, start],
    [12, false, end],
  ]

  test.each([
    ['<{{ x }}>', 'abc', both(1, 4)],
    ['{{ x.strip() }}', '  abc\n', both(0, 3)],
    ["{{ x.lstrip('\\n') }}|", '\n a', both(0, 2)],
    ['{{ x | trim }}', ' a ', both(0, 1)],
    ["{{ x.split('</think>')[-1].lstrip('\\n') }}", 'no <thoughts>', both(0, 13)],
    ["{{ x.split('|')[1] }}", 'a|b', [[12, false, 1]]],
    ["{{ x.replace('b', 'xyz') }}", 'abc', both(0, 5)],
    ['{{ x | tojson }}', 'a"b', both(1, 5)],
    ['{{ x | tojson(ensure_ascii=true) }}', 'é', both(1, 7)],
    ['{{ x[1:] }}', 'abc', [[12, false, 2]]],
    [
      "{{ '%s!' % x }}{{ x | length }}{{ x == 'abc' }}{{ x.startswith('a') }}{{ x in ['abc'] }}",
      'abc',
      both(0, 3),
    ],
    ['{% if x %}a{% else %}b{% endif %}{{ x }}', '', both(1, 1)],
    ['{{ x | upper }}{{ x is string }}', 'abc', both(0, 3)],
  ])('%s', (source, content, marks) => {
    expect(text(source, content)).toEqual(marks)
  })
})

describe('arguments of calls', () => {
  const object = fromJson({ a: 1, b: 'x' }) as Map<Value, Value>
  const asText = new CallArguments(object, '{"a":1,"b":"x"}')
  const asObject = new CallArguments(object, null)

  test.each([
    ['{{ x | tojson }}', '{"a": 1, "b": "x"}', '{"a": 1, "b": "x"}'],
    ["{{ '<' + x + '>' }}", '<{"a":1,"b":"x"}>', '<{"a": 1, "b": "x"}>'],
    ['{{ x }}', '{"a":1,"b":"x"}', "{'a': 1, 'b': 'x'}"],
    ['{{ x ~ 1 }}', '{"a":1,"b":"x"}1', "{'a': 1, 'b': 'x'}1"],
    ['{{ x.a }}{{ x["b"] }}', '1x', '1x'],
    ['{% for k, v in x.items() %}{{ k }}{% endfor %}', 'ab', 'ab'],
    ['{{ x is string }}{{ x is mapping }}', 'TrueTrue', 'FalseTrue'],
    ['{{ x | length }}{{ "a" in x }}', '2True', '2True'],
  ])('%s', (source, fromText, fromObject) => {
    expect(render(source, { x: asText })).toBe(fromText)
    expect(render(source, { x: asObject })).toBe(fromObject)
  })
})

test('numbers keep what a double loses, and are otherwise written as Python writes them', () => {
  const written = (digits: string) => render('{{ x }} {{ x | tojson }}', { x: numberFromText(digits) })
  expect(written('1.0')).toBe('1.0 1.0')
  expect(written('1e5')).toBe('100000.0 100000.0')
  expect(written('1.10')).toBe('1.10 1.10')
  expect(written('123456789012345678901234567890')).toBe(
    '123456789012345678901234567890 123456789012345678901234567890',
  )
  expect(written('3.14159265358979323846')).toBe('3.14159265358979323846 3.14159265358979323846')
})

test('a template cannot change what it is given, nor make ranges without end', () => {
  expect(() => render('{{ l.append(1) }}')).toThrow('unsafe')
  expect(() => render('{{ range(1000000) | length }}')).toThrow('Range too big')
})
