import { expect, test } from 'vitest'
import { looseObject, number, record, string } from 'zod'
import { mostJsonDepth } from './bounds.js'
import { boundJson, jsonObject, parseJson } from './read-json.js'

const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)

test('depth is counted outside of strings', () => {
  boundJson(nested(mostJsonDepth))
  boundJson(JSON.stringify({ a: nested(1000), 'b"\\': '\\\\"[[[['.repeat(100) }))
  boundJson(`[${'[],{},'.repeat(1000)}1]`)
  for (const text of [nested(mostJsonDepth + 1), '{"a":'.repeat(mostJsonDepth + 1), '[[{'.repeat(100)])
    expect(() => {
      boundJson(text)
    }).toThrow(`more than ${mostJsonDepth} levels`)
})

test('what is wrong is told by file and field', () => {
  const shape = looseObject({ a: number(), b: record(string(), string()).optional() })
  const problem = (text: string) => {
    try {
      parseJson('f.json', text, shape)
      return null
    } catch (error) {
      return (error as Error).message
    }
  }
  expect(problem('{"a": 1, "c": null, "b": {"x": "y"}}')).toBe(null)
  expect(problem('null')).toBe('f.json: expected a JSON object, found null')
  expect(problem('{"a": "1"}')).toBe('f.json: a: expected a number, found "1"')
  expect(problem('{}')).toBe('f.json: a: expected a number, found nothing')
  expect(problem('{"a": 1, "b": {"x": [1]}}')).toBe('f.json: b.x: expected a text, found a list')
  expect(problem('{"a": 1,}')).toMatch(/^f\.json: not valid JSON: /)
})

test('the key __proto__ is a key, or is left out', () => {
  const text = '{"__proto__": {"a": 1}, "b": 2}'
  const plain = parseJson('f.json', text, jsonObject)
  expect(Object.keys(plain)).toEqual(['__proto__', 'b'])
  expect(Object.getPrototypeOf(plain)).toBe(Object.prototype)
  const shaped = parseJson('f.json', text, looseObject({}))
  expect(Object.getPrototypeOf(shaped)).toBe(Object.prototype)
  expect('a' in shaped).toBe(false)
})

test('a byte order mark is no part of the text', () => {
  expect(parseJson('f.json', Buffer.from('\ufeff{"a": 1}'), jsonObject)).toEqual({ a: 1 })
})

test('a byte order mark tells the encoding', () => {
  const bytes = Buffer.from('\uFEFF{"a":"é"}', 'utf16le')
  expect(parseJson('config.json', bytes, jsonObject)).toEqual({ a: 'é' })
  expect(parseJson('config.json', Buffer.from('\uFEFF{"a":"é"}'), jsonObject)).toEqual({ a: 'é' })
  expect(() => parseJson('config.json', Uint8Array.of(0x7b, 0xff, 0x7d), jsonObject)).toThrow(
    'not valid JSON',
  )
})
