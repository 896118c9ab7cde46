import { expect, test } from 'vitest'
import { extractByRegex } from './regex.js'

test('a match, its first group that took anything, the first or the last', () => {
  expect(extractByRegex('a1 b2 c3', /[a-z]\d/)).toBe('a1')
  expect(extractByRegex('a1 b2 c3', /[a-z](\d)/, { take: 'last' })).toBe('3')
  expect(extractByRegex('x: yes ', /(no)|x:(.*)/)).toBe('yes')
  expect(extractByRegex('answer: ', /answer:(.*)/)).toBe('')
  expect(extractByRegex('ab', /a(x)?|b(y)?/)).toBeNull()
  expect(extractByRegex('nothing', /\d/)).toBeNull()
  // A pattern that is used again begins at the beginning.
  const pattern = /\d/g
  expect([extractByRegex('1 2', pattern), extractByRegex('1 2', pattern)]).toEqual(['1', '1'])
})
