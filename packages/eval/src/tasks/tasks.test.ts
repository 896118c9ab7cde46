import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { manifestConformance, taskConformance } from '@ift/core/testing'
import { describe, expect, test } from 'vitest'
import { plugin } from '../index.js'
import { bleu } from './bleu.js'
import { exact } from './exact.js'
import { gsm8k } from './gsm8k.js'
import { tasks } from './index.js'
import { lettersOf, mmcu } from './mmcu.js'
import { regex } from './regex.js'
import { rouge } from './rouge.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../fixtures/${path}`, import.meta.url))
const folder = fileURLToPath(new URL('../..', import.meta.url))

for (const { name, run } of manifestConformance(plugin, folder)) test(name, run)

describe.each(tasks)('$name', (task) => {
  const own = [task.name, `${task.name}.invented`].map(fixture).find((path) => existsSync(path))
  const data = own ?? fixture('own.invented/answers.jsonl')
  const options = task.name === 'regex' ? { pattern: 'answer is (\\d+)' } : {}
  for (const { name, run } of taskConformance(task, { data, options })) test(name, run)
})

const record = (fields: object) => ({
  record: fields as Record<string, unknown>,
  where: 'x.jsonl:1',
  file: 'x',
})
const outcome = (answer: string, extracted: string | null = answer) => ({
  ...{ likelihoods: [], answer, extracted, ended: true, loss: null, judged: [], other: null },
})
const none = { options: {} }

test('gsm8k: the number behind the marks, the last one, and that of a Chinese answer', () => {
  const [problem] = gsm8k.read(
    record({ question: 'q', answer: 'So 1,000 + 200.\n#### 1,200' }),
    none,
  ) as never[]
  const scores = (answer: string) => gsm8k.score(problem!, outcome(answer), none)
  expect(scores('It is\n#### 1,200.')).toEqual({ strict: 1, flexible: 1, zh: 1 })
  expect(scores('#### $1200')).toEqual({ strict: 0, flexible: 1, zh: 1 })
  expect(scores('The answer is 1200.')).toEqual({ strict: 0, flexible: 1, zh: 1 })
  expect(scores('1200 of 3')).toEqual({ strict: 0, flexible: 0, zh: 0 })
  expect(scores('一共3步，所以答案是１２００个，第2步最难。')).toEqual({ strict: 0, flexible: 0, zh: 1 })
  expect(scores('')).toEqual({ strict: 0, flexible: 0, zh: 0 })
})

test('mmcu: letters of an answer', () => {
  for (const [answer, letters] of [
    ['D', 'D'],
    ['答案是ＡＣ。', 'AC'],
    ['选 C、A', 'AC'],
    ['（B）正确', 'B'],
    ['正确的选项是 A 和 D', 'AD'],
    ['不知道', null],
    ['An apple', null],
  ] as const)
    expect([answer, lettersOf(answer)]).toEqual([answer, letters])
  const [several] = mmcu.read(
    record({ 类别: '法律', 题目: '哪些？', 选项: 'A:红\nB:跑\nC：蓝', 答案: 'CA' }),
    none,
  ) as never as { right: string }[]
  expect(several!.right).toBe('AC')
  expect(mmcu.choices!(several as never, none)).toEqual([])
  expect(mmcu.score(several as never, outcome('A,C', 'AC'), none)).toEqual({ letters: 1, likelihood: null })
  expect(mmcu.score(several as never, outcome('A', 'A'), none)).toEqual({ letters: 0, likelihood: null })
})

test('records of any form of data, several right answers, and groups by a field', () => {
  const context = { options: exact.options!.parse({ by: 'kind' }) }
  const read = (fields: object) => exact.read(record(fields), context)
  expect(read({ instruction: 'a', input: 'b', output: 'c', kind: 'k' })).toEqual([
    { prompt: { instruction: 'a', input: 'b' }, references: ['c'], group: 'k' },
  ])
  expect(read({ prompt: 'The sky is', references: ['blue', 'clear'] })).toEqual([
    { prompt: 'The sky is', references: ['blue', 'clear'], group: null },
  ])
  expect(read({ instruction: 'a', input: '', output: ' ' })).toBe('no answer')
  expect(read({ some: 'thing' })).toBe('no example')
  const [document] = read({ prompt: 'The sky is', references: ['blue', 'Clear!'] }) as never[]
  expect(exact.score(document!, outcome('clear!'), context)).toEqual({ exact: 1, f1: 1 })
})

test('regex: what an expression finds in both, by text or by value; a wrong one is refused', () => {
  const context = { options: regex.options!.parse({ pattern: 'answer is (\\S+)', as: 'number' }) }
  const [document] = regex.read(
    record({ instruction: '2 + 2', input: '', output: 'The answer is 4.0' }),
    context,
  ) as never[]
  const scores = (answer: string) =>
    regex.score(document!, outcome(answer, regex.extract!(answer, document!, context)), context)
  expect(scores('So the answer is 4')).toEqual({ match: 1, found: 1 })
  expect(scores('So the answer is 5')).toEqual({ match: 0, found: 1 })
  expect(scores('4')).toEqual({ match: 0, found: 0 })
  for (const pattern of ['(', '', 'x'.repeat(2000)])
    expect(regex.options!.safeParse({ pattern }).success, pattern).toBe(false)
})

test('ROUGE and BLEU count characters of Chinese', () => {
  const context = { options: rouge.options!.parse({}) }
  const [document] = rouge.read(
    record({ instruction: 'q', input: '', output: '水稻是一种作物' }),
    context,
  ) as never[]
  expect(rouge.score(document!, outcome('水稻是作物'), context)['rouge1']).toBeCloseTo(10 / 12)
  const parts = bleu.score(document!, outcome('水稻是一种作物'), {
    options: bleu.options!.parse({}),
  })['bleu'] as readonly number[]
  expect(parts).toHaveLength(10)
  expect(bleu.metrics['bleu']!.of!(parts)).toBeCloseTo(100)
})
