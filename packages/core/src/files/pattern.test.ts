import { expect, test } from 'vitest'
import { isPattern, nearestNames, pathMatcher } from './pattern.js'

const names = [
  'a.jsonl',
  'b.json',
  'data/a.jsonl',
  'data/deep/train-2.parquet',
  'data/train-1.parquet',
  'part-007.json',
  'part-010.json',
]

test.each([
  ['*.jsonl', ['a.jsonl']],
  ['**/*.jsonl', ['a.jsonl', 'data/a.jsonl']],
  ['data/**/train-*.parquet', ['data/deep/train-2.parquet', 'data/train-1.parquet']],
  ['data/train-[0-1].parquet', ['data/train-1.parquet']],
  ['data/train-[!1].parquet', []],
  ['{a,b}.json*', ['a.jsonl', 'b.json']],
  ['part-{007..010}.json', ['part-007.json', 'part-010.json']],
  ['part-{08..11}.json', []],
  ['{a..b}.js*', ['a.jsonl', 'b.json']],
  ['part-0?7.json', ['part-007.json']],
  ['!a.jsonl', []],
])('%s', (pattern, matched) => {
  expect(names.filter(pathMatcher(pattern))).toEqual(matched)
})

test('names that begin with a dot are asked for', () => {
  expect(['.a.json', 'b/.c/d.json'].filter(pathMatcher('**/*.json'))).toEqual([])
  expect(['.a.json'].filter(pathMatcher('.*.json'))).toEqual(['.a.json'])
})

test('a range that is none is a text', () => {
  for (const name of ['{0..99999999}', '{1..9..2}', '{ab..c}']) {
    expect(pathMatcher(name)(name)).toBe(true)
    expect(pathMatcher(name)('1')).toBe(false)
  }
})

// Bash, without extglob and with the signs quoted, has each as text. A comma stands between texts in braces.
const signs = Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).filter(
  (sign) => !/[\w*?[\]{},\\/]/.test(sign),
)

test.each([' ', ...signs, '漢'])('%s is itself', (sign) => {
  for (const [pattern, name, other] of [
    [`a${sign}b*`, `a${sign}bz`, 'abz'],
    [`*${sign}b`, `a${sign}b`, 'ab'],
    [`${sign}*`, `${sign}b`, 'b'],
    [`*${sign}`, `b${sign}`, 'b'],
    [`?${sign}?`, `b${sign}c`, 'bc'],
    [`*${sign}1${sign}*`, `a${sign}1${sign}b`, 'a1b'],
    [`a?${sign}b${sign}`, `ax${sign}b${sign}`, 'axb'],
    [`x[0-9]${sign}`, `x1${sign}`, 'x1'],
    [`{a,b}${sign}`, `a${sign}`, 'a'],
    [`{a${sign},b}*`, `a${sign}z`, 'z'],
    [`[a${sign}]*`, `${sign}z`, 'z'],
    [`**/a${sign}*.json`, `q/r/a${sign}1.json`, 'q/r/a1.json'],
    [`*/${sign}x${sign}/*`, `q/${sign}x${sign}/z`, 'q/x/z'],
  ] as const) {
    expect(pathMatcher(pattern)(name), pattern).toBe(true)
    expect(pathMatcher(pattern)(other), pattern).toBe(false)
  }
})

test.each([
  ['rows (*).json', 'rows (1).json', 'rows 1.json'],
  ['(1)/**', '(1)/a/b', '1/a/b'],
  ['+(a)*', '+(a)z', 'aaz'],
  ['@(a|b)*', '@(a|b)z', 'az'],
  ['!(a)*', '!(a)b', 'b'],
  ['?(a)', 'x(a)', 'a'],
  ['*(a)', 'z(a)', 'aa'],
  ['a(b*', 'a(bz', 'abz'],
  ['"a"*', '"a".json', 'a.json'],
  ['a\\(b*', 'a(bz', 'abz'],
  ['[!](]*', 'az', '(z'],
  ['a{b*', 'a{bz', 'abz'],
  ['a}b*', 'a}bz', 'abz'],
  ['{a,b}{*', 'a{z', 'az'],
  ['{a,{b,c}*', '{a,bz', 'az'],
  ['{(1..3)}*', '{(1..3)}z', '(2)z'],
  ['part-{1..3}(a)*', 'part-2(a)z', 'part-2az'],
])('%s matches %s', (pattern, name, other) => {
  expect([name, other].map(pathMatcher(pattern))).toEqual([true, false])
})

test('what is a pattern, and what may have been meant', () => {
  expect(['a*.json', 'a?.json', 'a[0].json', '{a,b}.json', 'a.json'].map(isPattern)).toEqual([
    true,
    true,
    true,
    true,
    false,
  ])
  expect(nearestNames('prat-*.json', ['x.json', 'part-1.json'])).toBe('part-1.json, x.json')
  expect(nearestNames('*', [])).toBe('none')
  expect(nearestNames('zz', ['a', 'b', 'c'], 2)).toMatch(/ and 1 more$/)
})
