import type { IftError } from '@ift/tensor'
import { expect, test } from 'vitest'
import { isExactNumber } from '../exact-json.js'
import { problem, put, read, inFolder } from './read.fixture.js'
import { parseTolerantJson } from './tolerant-json.js'

inFolder()

const file = async (name: string, text: string, tolerant = true) => {
  await put(name, text)
  return read(name, { tolerant })
}

const array = `// made by hand
[
  /* the first: "[{ */ { 'q': 'it\\'s "a"]', a: 1, }, // one
  {"q": "two
lines", "a": NaN, "n": 12345678901234567890},
  {"q": "// no comment", "a": .5}, /**/
]
// the end`

test('comments, commas, single quotes, line breaks, NaN', async () => {
  const rows = await file('array.json', array)
  expect(rows.map(({ where }) => where)).toEqual(['array.json:3', 'array.json:4', 'array.json:6'])
  expect(rows[0]!.record).toEqual({ q: 'it\'s "a"]', a: 1 })
  expect(rows[1]!.record).toMatchObject({ q: 'two\nlines', a: null })
  expect(isExactNumber(rows[1]!.record['n'])).toBe(true)
  expect(String(rows[1]!.record['n'])).toBe('12345678901234567890')
  expect(rows[2]!.record).toEqual({ q: '// no comment', a: 0.5 })
})

test.each([
  [
    'rows.jsonl',
    `{"q": 'a',}\n// note\n{"q": "b\nc"}\n\n{q: 1}`,
    ['rows.jsonl:1', 'rows.jsonl:3', 'rows.jsonl:6'],
  ],
  ['comma.jsonl', '{"q":1},\n{"q":2},\n', ['comma.jsonl:1', 'comma.jsonl:2']],
  [
    'keyed.json',
    `{ // by id\n a1: {instruction: 'q', output: 'a'},\n 'b': {"instruction": "q", "output": "a"},}`,
    ['keyed.json:2', 'keyed.json:3'],
  ],
  ['one.json', '{data: [{q: 1}, {q: 2},]}', ['one.json#1', 'one.json#2']],
])('%s', async (name, text, places) => {
  expect((await file(name, text)).map(({ where }) => where)).toEqual(places)
  const error = await problem(file(name, text, false))
  expect(error.code).toBe('IFT_DATA_SYNTAX')
  expect(error.hint).toBe('tolerant: true reads the file as it is.')
})

test('what is broken stays broken, with its line', async () => {
  for (const [text, message] of [
    ['[{"q": 1},\n{"q":\n 2 3}]', /bad\.json:3: not valid JSON: Unexpected token Number/],
    ['[{"q": 1},\n{"q": "x', /bad\.json:2: the file ends inside a record/],
    ['[{"q": 1},\n{"q": 1 /* x}]', /bad\.json:2: a comment that does not end/],
    ['[{"q": 1},\n/ {"q": 1}]', /bad\.json:2: a slash that begins no comment/],
    ["[{'q': 1, 'q': 2}]", /bad\.json:1: the key "q" is there twice/],
    ['[{"q": True}]', /bad\.json:1: not valid JSON/],
  ] as const) {
    expect((await problem(file('bad.json', text))).message).toMatch(message)
    const strict = await problem(file('bad.json', text, false))
    expect(strict.hint).not.toContain('tolerant')
  }
})

test('no record is lost in a comment', async () => {
  for (const [text, message] of [
    ['{"q": 1}\n/* {"q": 2}\n{"q": 3}\n', /lost\.jsonl:2: a comment that does not end/],
    ['{"q": 1}\n{"q": 2} /*', /lost\.jsonl:2: a comment that does not end/],
    ['[{"q": 1}]\n\n/* the end *', /lost\.jsonl:3: a comment that does not end/],
    ['[{"q": 1}, {"q": /* x\n\n 2}]', /lost\.jsonl:1: a comment that does not end/],
    ['{"q": 1}\n{"q": 2}\n/', /lost\.jsonl:3: a slash that begins no comment/],
    ['{"q": 1}\n/\n{"q": 2}', /lost\.jsonl:2: a slash that begins no comment/],
  ] as const) {
    const error = await problem(file('lost.jsonl', text))
    expect(error.code).toBe('IFT_DATA_SYNTAX')
    expect(error.message).toMatch(message)
  }
  // JSON5 ends a line by a carriage return too.
  expect(await file('rows.jsonl', '// one\r{"q": 1}\r{"q": 2} // two\r\n{"q": 3} // the end')).toHaveLength(3)
})

test('it is proposed only where it helps, and JSON is read as ever', async () => {
  const rows = Array.from({ length: 50 }, (_, n) => ({ n, text: `'"\\ // /* ${n}\n` }))
  for (const text of [
    JSON.stringify(rows),
    JSON.stringify(rows, null, 2),
    rows.map((row) => JSON.stringify(row)).join('\n'),
  ])
    for (const name of ['same.json', 'same.jsonl']) {
      if (name.endsWith('l') && text.startsWith('[\n')) continue
      expect((await file(name, text)).map(({ record }) => record)).toEqual(rows)
    }
  expect((await problem(file('cut.jsonl', '{"q":1,}\n{"q":2', false))).hint).not.toContain('tolerant')
})

test('it is proposed for what was skipped too, and only where the rest of the file is sound', async () => {
  const row = '{"q":1,},\n'
  for (const [end, isProposed] of [
    ['{"q":2}]\n// the end', true],
    ['{"q":2} {"q":3}]', false],
    ['{"q":2', false],
    ['{"q":2}', false],
  ] as const)
    for (const count of [1, 3000]) {
      await put('skipped.json', `[${row.repeat(count)}${end}`)
      const problems: IftError[] = []
      const error = await problem(read('skipped.json', { onProblem: (one) => problems.push(one) }))
      expect(problems).toHaveLength(count)
      expect(error.hint?.includes('tolerant'), `${count} ${end}`).toBe(isProposed)
    }
})

test('brackets in strings and comments are no depth, and hide none', () => {
  const brackets = '['.repeat(200)
  const values = [
    `{'text': '${brackets}'}`,
    `{'text': 'it\\'s ${brackets}'}`,
    `{text: "x", /* ' " ${brackets} */ a: 1}`,
    `{text: "x", // ' " ${brackets}\n a: 1}`,
    `{text: "x", // ${brackets}\r a: 1}`,
  ]
  for (const text of values) expect(parseTolerantJson(text)).toHaveProperty('text')
  for (const open of [`['"', `, `["'", `, `[/* " */`, `[// '\n`, `[// '\r`, `['\\'"', `])
    expect(() => parseTolerantJson(`${open.repeat(200)}${']'.repeat(200)}`)).toThrow(
      /more than 128 levels deep/,
    )
})

test('depth has its bound', () => {
  for (const open of ["['\"',", '['])
    expect(() => parseTolerantJson(open.repeat(200_000))).toThrow(/levels deep/)
  expect(parseTolerantJson('{"__proto__": {"a": 1,},}')).toHaveProperty(['__proto__'])
})
