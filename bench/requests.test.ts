import { expect, test } from 'vitest'
import { arrivals, decodingRate, firstTokens, gaps, prefillRate, quantile } from './requests.mjs'

const answer = (...times: number[]) => ({ times, tokens: times.length, text: '' })

test('rates are of the time in which there was that work alone', () => {
  const requests = [10, 30].map((length) => ({ at: 0, prompt: Array<number>(length).fill(1), tokens: 3 }))
  const answers = [answer(100, 200, 300), answer(200, 300, 400)]
  expect(prefillRate(requests, answers)).toBe(200)
  // After 200 ms: one token of the first, two of the second.
  expect(decodingRate(answers)).toBe(15)
  // Two tokens in a piece.
  expect(decodingRate([{ ...answer(100, 200), tokens: 4 }])).toBe(20)
})

test('times count from the arrival of each', () => {
  const requests = [0, 50].map((at) => ({ at, prompt: [1], tokens: 2 }))
  const answers = [answer(20, 30), answer(60, 90)]
  expect(firstTokens(requests, answers)).toEqual([20, 10])
  expect(gaps(answers)).toEqual([10, 30])
})

test.each([
  [0.5, 50],
  [0.99, 99],
  [1, 100],
])('the quantile %d of 1 to 100 is %d', (share, expected) => {
  const list = Array.from({ length: 100 }, (_, i) => 100 - i)
  expect(quantile(list, share)).toBe(expected)
})

test('arrivals are those of their seed', () => {
  const ids = Array.from({ length: 2000 }, (_, i) => i)
  const options = { count: 400, gap: 100, prompt: [16, 512], answer: [8, 64] } as const
  const some = (seed: number) =>
    arrivals(ids, { ...options, prompt: [...options.prompt], answer: [...options.answer], seed })
  expect(some(1)).toEqual(some(1))
  expect(some(1)).not.toEqual(some(2))
  const requests = some(1)
  expect(requests[0]?.at).toBe(0)
  expect(requests.map(({ at }) => at)).toEqual(requests.map(({ at }) => at).sort((a, b) => a - b))
  const mean = (requests.at(-1)?.at ?? 0) / (requests.length - 1)
  expect(mean).toBeGreaterThan(85)
  expect(mean).toBeLessThan(115)
  for (const { prompt, tokens } of requests) {
    expect(prompt.length).toBeGreaterThanOrEqual(16)
    expect(prompt.length).toBeLessThanOrEqual(512)
    expect(tokens).toBeGreaterThanOrEqual(8)
    expect(tokens).toBeLessThanOrEqual(64)
  }
})
