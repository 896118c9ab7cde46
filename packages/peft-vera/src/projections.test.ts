import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { mt19937 } from './mt19937.js'
import { projections } from './projections.js'

interface Part {
  readonly head: number[]
  readonly tail: number[]
  readonly squares: number
}

const rows = JSON.parse(
  readFileSync(new URL('../../../fixtures/peft-vera/projections.json', import.meta.url), 'utf8'),
) as { key: number; r: number; in: number; out: number; A: Part; B: Part }[]

test('the first and the 10,000th output for the seed 5489', () => {
  const next = mt19937(5489)
  const outputs = Array.from({ length: 10_000 }, next)
  // The numbers that the C++ standard gives (rand.predef).
  expect([outputs[0], outputs.at(-1)]).toEqual([3499211612, 4123659995])
})

test.each(rows)('key $key: the projections of PyTorch, bit for bit', ({ key, r, in: inputs, out, A, B }) => {
  const { a, b } = projections(key, r, inputs, out)
  for (const [values, { head, tail, squares }] of [
    [a, A],
    [b, B],
  ] as const) {
    expect([...values.subarray(0, 4)]).toEqual(head)
    expect([...values.subarray(-2)]).toEqual(tail)
    // The sum, whose order differs.
    const sum = values.reduce((all, value) => all + value * value, 0)
    expect(Math.abs(sum / squares - 1)).toBeLessThan(1e-13)
  }
})
