import { describe, expect, test } from 'vitest'
import {
  addBias,
  addPenalties,
  forbidRepeatedNgrams,
  keepMinP,
  keepTopK,
  keepTopP,
  logSoftmax,
  penalizeRepetition,
  softmax,
  topIndices,
} from './processors.js'
import { Random } from './random.js'
import { StopScanner } from './stop.js'

const f = (...values: number[]) => Float32Array.from(values)
const none = -Infinity

describe('scores', () => {
  test('repetition divides what is above zero and multiplies what is below, once a token', () => {
    const scores = f(2, -2, 4, 1)
    penalizeRepetition(scores, [0, 1, 0], 2)
    expect([...scores]).toEqual([1, -4, 4, 1])
  })

  test('presence takes from a score once, frequency each time, of what was generated', () => {
    const scores = f(1, 1, 1, 1)
    addPenalties(scores, [0, 2, 0], { presencePenalty: 0.5, frequencyPenalty: -0.25 })
    expect([...scores]).toEqual([1, 1, 0.75, 1])
    addPenalties(scores, [3], { presencePenalty: 0, frequencyPenalty: 0 })
    addBias(scores, { 1: -100, 3: 2, 9: 5 })
    expect([...scores]).toEqual([1, -99, 0.75, 3])
  })

  test('min-p keeps what has a share of the likeliest', () => {
    const scores = f(0, Math.log(0.5), Math.log(0.49), -20)
    keepMinP(scores, 0.5)
    expect([...scores].map((score) => score > none)).toEqual([true, true, false, false])
  })

  test('an n-gram does not occur twice', () => {
    const scores = f(0, 0, 0, 0)
    forbidRepeatedNgrams(scores, [1, 2, 3, 1, 2], 3)
    expect([...scores]).toEqual([0, 0, 0, none])
    const single = f(0, 0, 0)
    forbidRepeatedNgrams(single, [0, 2], 1)
    expect([...single]).toEqual([none, 0, none])
    const early = f(0, 0)
    forbidRepeatedNgrams(early, [1], 3)
    expect([...early]).toEqual([0, 0])
  })

  test('top-k keeps ties with the last one kept', () => {
    const scores = f(1, 3, 2, 2)
    keepTopK(scores, 2)
    expect([...scores]).toEqual([none, 3, 2, 2])
  })

  test('top-p keeps the token that crosses p, and always one', () => {
    const scores = f(Math.log(0.5), Math.log(0.3), Math.log(0.15), Math.log(0.05))
    keepTopP(scores, 0.7)
    expect([...scores].map(Number.isFinite)).toEqual([true, true, false, false])
    const peaked = f(10, 0)
    keepTopP(peaked, 0.01)
    expect([...peaked].map(Number.isFinite)).toEqual([true, false])
  })

  test('softmax and log-softmax agree and survive -Infinity', () => {
    const scores = f(1, none, 3)
    const p = softmax(scores)
    logSoftmax(scores)
    expect(p[1]).toBe(0)
    expect(Math.exp(scores[0]!)).toBeCloseTo(p[0]!, 6)
    expect(p[0]! + p[2]!).toBeCloseTo(1, 12)
  })

  test('the highest indices, the first of equals', () => {
    expect(topIndices(f(1, 5, 3, 5, none), 3)).toEqual([1, 3, 2])
  })
})

describe('random', () => {
  test('seed and stream decide the numbers; draws follow the weights', () => {
    const draw = (seed: number, stream: number) =>
      Array.from(
        { length: 4 },
        (
          (r) => () =>
            r.uniform()
        )(new Random(seed, stream)),
      )
    expect(draw(1, 0)).toEqual(draw(1, 0))
    expect(draw(1, 0)).not.toEqual(draw(2, 0))
    expect(draw(1, 0)).not.toEqual(draw(1, 1))
    const random = new Random(7)
    const counts = [0, 0, 0]
    for (let i = 0; i < 3000; i++) counts[random.pick(Float64Array.of(1, 0, 2))]!++
    expect(counts[1]).toBe(0)
    expect(counts[2]! / counts[0]!).toBeGreaterThan(1.7)
    expect(counts[2]! / counts[0]!).toBeLessThan(2.4)
  })
})

describe('stop texts', () => {
  test('the beginning of a stop text is held back until it is decided', () => {
    const scanner = new StopScanner(['</s>', '\nUser:'])
    expect(scanner.push('Hi <')).toBe('Hi ')
    expect(scanner.push('b>\nUs')).toBe('<b>')
    expect(scanner.push('er: no')).toBe('')
    expect(scanner.found).not.toBeNull()
    expect(scanner.end()).toBe('')
  })

  test('what was held back comes out at the end', () => {
    const scanner = new StopScanner(['stop'])
    expect(scanner.push('a sto')).toBe('a ')
    expect(scanner.end()).toBe('sto')
  })
})
