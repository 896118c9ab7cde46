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
