import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fullMatcher } from './index.js'

interface Row {
  readonly pattern: string
  readonly matches?: number[]
  readonly error?: string
}

const { texts, patterns } = JSON.parse(
  readFileSync(new URL('../../../../../fixtures/peft-lora/python-regex.json', import.meta.url), 'utf8'),
) as {
  texts: string[]
  patterns: Row[]
}

/** What Python takes and this does not: it needs the order in which a matcher tries. */
const refused = /possessive|atomic|conditional|back reference/

test.each(patterns)('$pattern', ({ pattern, matches }) => {
  let matcher: (text: string) => boolean
  try {
    matcher = fullMatcher(pattern)
  } catch (error) {
    expect(error).toBeInstanceOf(SyntaxError)
    if (matches) expect((error as Error).message).toMatch(refused)
    return
  }
  expect(matches, 'Python refuses it').toBeDefined()
  expect(texts.filter(matcher)).toEqual(matches!.map((index) => texts[index]))
})

test('time grows with the length of the text, not with what a matcher could try', () => {
  const text = 'a'.repeat(20_000)
  for (const pattern of ['(.*)*(.*)*(.*)*x', '(a+)+b', '(a|aa)+b', '(?=(a+)+b)a*', '(?<=(a*)*b)c'])
    expect(fullMatcher(pattern)(text), pattern).toBe(false)
})

test('nothing, repeated', () => {
  expect(fullMatcher('((?:){1000000000}){1000000000}a')('a')).toBe(true)
})

test.each(['(a{1000}){1000}', '('.repeat(5000) + ')'.repeat(5000), 'a{99999999999}'])(
  'a pattern without bounds is refused',
  (pattern) => {
    expect(() => fullMatcher(pattern)).toThrow(SyntaxError)
  },
)
