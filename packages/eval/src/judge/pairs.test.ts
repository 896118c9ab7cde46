import { expect, test } from 'vitest'
import { pairPrompt, pairResult, parseVerdict, verdictAgain } from './pairs.js'

test('verdicts of both languages, the last of them', () => {
  for (const [reply, score] of [
    ['结论:A', 1],
    ['结论：Ｂ', 0],
    ['**结论：平局**', 0.5],
    ['Verdict: A', 1],
    ['verdict: **b**.', 0],
    ['Verdict: Tie', 0.5],
    ['Verdict: Answer B', 0],
    ['结论：回答A', 1],
    ['Verdict: A at first, but on reflection\nVerdict: B', 0],
  ] as const)
    expect(parseVerdict(reply), reply).toBe(score)
  for (const reply of ['', 'A', 'I prefer A.', 'Verdict: both', 'Verdict: Although', '结论:C'])
    expect(parseVerdict(reply), reply).toBeNull()
})

test('both orders are asked, in the language of the question', () => {
  const pair = { question: '天为什么是蓝的？', first: 'ONE', second: 'TWO' }
  const [direct, swapped] = [pairPrompt(pair, false), pairPrompt(pair, true)]
  expect(direct).toContain('回答A：\nONE\n\n回答B：\nTWO')
  expect(swapped).toContain('回答A：\nTWO\n\n回答B：\nONE')
  expect(direct).not.toContain('参考答案')
  const english = pairPrompt({ ...pair, question: 'Why?', reference: 'Because.' }, false)
  expect(english).toContain('Reference answer:\nBecause.\n\nAnswer A:\nONE')
  expect(verdictAgain).toMatch(/结论.*Verdict/)
})

test('a win is one in both orders, all else a tie', () => {
  expect(pairResult(1, 0)).toEqual({ score: 1, consistent: true })
  expect(pairResult(0, 1)).toEqual({ score: 0, consistent: true })
  expect(pairResult(0.5, 0.5)).toEqual({ score: 0.5, consistent: true })
  // The first place, whoever has it.
  expect(pairResult(1, 1)).toEqual({ score: 0.5, consistent: false })
  expect(pairResult(1, 0.5)).toEqual({ score: 0.5, consistent: false })
  expect(pairResult(null, 1)).toBeNull()
  expect(pairResult(1, null)).toBeNull()
})
