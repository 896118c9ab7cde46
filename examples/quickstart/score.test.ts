import { describe, expect, it } from 'vitest'
import { accuracy, answerIn, score, statesAnswer } from './score.mjs'

describe('answerIn', () => {
  it.each([
    ["Let's think step by step. 72-30=42. The answer is 42.", 42],
    ['让我们一步一步思考。38-34=4。答案是4。', 4],
    ['The answer is 7. Then 12 more.', 7],
    ['The answer is 7. No, the sum is wrong. The answer is 9.', 9],
    ['答案是：15', 15],
    ['He has 5 coins, then 8', 8],
    ['12-5', 5],
    ['It falls to -3', -3],
    ['The answer is 1,234.', 1234],
    ['numbers 1, 2, 3', 3],
    ['The answer is 2.5.', 2.5],
    ['', undefined],
    ['The answer is unknown.', undefined],
  ])('%j -> %j', (output, expected) => expect(answerIn(output)).toBe(expected))

  it('takes the last number when the phrase has none after it', () =>
    expect(answerIn('There are 6. The answer is not here.')).toBe(6))
})

describe('score', () => {
  const references = [
    { answer: 4, kind: 'R', language: 'en', steps: 2 },
    { answer: 5, kind: 'R', language: 'zh', steps: 3 },
    { answer: 6, kind: 'B', language: 'zh', steps: 3 },
  ]

  it('counts exact matches overall and by kind, language and steps', () => {
    const result = score(references, ['The answer is 4.', '5个', '答案是7。'])
    expect(result.all).toEqual({ correct: 2, total: 3 })
    expect(result.stated).toEqual({ correct: 2, total: 3 })
    expect(result.kind).toEqual({ R: { correct: 2, total: 2 }, B: { correct: 0, total: 1 } })
    expect(result.language).toEqual({ en: { correct: 1, total: 1 }, zh: { correct: 1, total: 2 } })
    expect(result.steps).toEqual({ 2: { correct: 1, total: 1 }, 3: { correct: 1, total: 2 } })
    expect(accuracy(result.all)).toBeCloseTo(2 / 3)
  })

  it('refuses another number of outputs', () => expect(() => score(references, ['4'])).toThrow(RangeError))

  it('knows the answer phrase', () => {
    expect(statesAnswer('答案是7。')).toBe(true)
    expect(statesAnswer('The answer is here.')).toBe(false)
  })
})
