import { describe, expect, test } from 'vitest'
import { DuplicateKey, exactJson, ExactNumber, isExactNumber, parseExactJson } from './exact-json.js'
import { createChatTemplate } from './template/index.js'

describe('numbers', () => {
  test.each([
    '9007199254740993',
    '-18446744073709551616',
    '1.0',
    '-0',
    '1e3',
    '1E+2',
    '1.10',
    '123456789012345.6789',
    '1e400',
  ])('%s keeps its digits', (text) => {
    const value = parseExactJson(` {"a":[{"b":${text}}]} `)
    expect(exactJson(value)).toBe(`{"a":[{"b":${text}}]}`)
  })
  test.each(['0', '-7', '0.5', '123456789012345', '9007199254740991', '1.25', '1e+21'])(
    '%s is a plain number',
    (text) => {
      expect(parseExactJson(`[${text}]`)).toEqual([Number(text)])
    },
  )
  test('what looks like one in a string is none', () => {
    const text = '{"a\\"1.0":"1.0, \\\\","b":"\\"9007199254740993"}'
    expect(parseExactJson(text)).toEqual(JSON.parse(text))
  })
  test('every other value is as JSON.parse gives it', () => {
    const text = '{"__proto__":{"x":1.0},"é\\u0041":[true,null,"\\ud83d\\ude00\\n"],"n":{"m":[]}}'
    const value = parseExactJson(text)
    expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(text)))
    expect(isExactNumber((value as { n: unknown }).n)).toBe(false)
  })
  test('programs that know nothing of them see the nearest double', () => {
    expect(JSON.stringify({ a: new ExactNumber('9007199254740993') })).toBe('{"a":9007199254740992}')
  })
  test.each(['{"a":01.0}', '{"a":1.0', '[1.0,]', '{"a":-}'])('%s is refused as JSON.parse does', (text) => {
    expect(() => parseExactJson(text)).toThrow(SyntaxError)
  })
})

describe('keys', () => {
  test('one that is there twice with two values', () => {
    const broken = () => parseExactJson('{"a":{"k":1,"k":"2"}}')
    expect(broken).toThrow(DuplicateKey)
    expect(broken).toThrow('"k"')
    expect(() => parseExactJson('{"k":1,"\\u006b":2}')).toThrow(DuplicateKey)
    expect(() => parseExactJson('[{"k":1,"k":2},3]')).toThrow(DuplicateKey)
    expect(() => parseExactJson('{"a":[{"k":1,"k":2}],"b":{}}')).toThrow(DuplicateKey)
  })
  test('twice with one value loses nothing', () => {
    expect(parseExactJson('{"k":1,"k":1}')).toEqual({ k: 1 })
  })
})

test('a chat template writes large numbers with their digits, and floats as Python does', () => {
  const value = parseExactJson('{"id":9007199254740993,"x":[1.0,1e3,2],"text":"7"}') as Record<
    string,
    unknown
  >
  const tokenizer = {
    chatTemplate: '{{ messages[0].extra | tojson }}',
    specials: new Map<string, number>(),
    bosId: null,
    eosId: null,
    token: () => undefined,
  }
  const messages = [{ role: 'user', content: 'q', fields: { extra: value } }] as const
  const [segment] = createChatTemplate(tokenizer).prompt({ messages })
  expect(segment!.text).toBe('{"id": 9007199254740993, "x": [1.0, 1000.0, 2], "text": "7"}')
})
