import { expect, it } from 'vitest'
import type { Backend } from '../backend.js'
import { referenceBackend } from '../reference/index.js'
import { backendConformance } from './index.js'

const failing = async (spoil: (backend: Backend) => void, name: string): Promise<unknown> => {
  const found = backendConformance(() => {
    const backend = referenceBackend()
    spoil(backend)
    return backend
  }).find((c) => c.name === name)
  return found?.run().then(
    () => 'passed',
    (error: unknown) => String(error),
  )
}

it('catches a causal mask that is off by the extra keys, a lost accumulation, a changed input and a leak', async () => {
  // The kernels themselves, which the spoilt ones stand in front of.
  const real = Object.getPrototypeOf(referenceBackend()) as Backend
  expect(
    await failing((b) => {
      b.attention = (out, lse, q, k, v, p) =>
        real.attention.call(b, out, lse, q, k, v, { ...p, causal: false })
    }, 'attention f32, more keys than queries'),
  ).toMatch(/out\[\d+\] of \d+ expected/)
  expect(
    await failing((b) => {
      b.sumRows = (y, x, rows, cols, dtype) => real.sumRows.call(b, y, x, rows, cols, dtype, 0)
    }, 'sumRows bf16'),
  ).toMatch(/beta 1: y\[0\]/)
  expect(
    await failing((b) => {
      b.mul = (y, a, z, n, dtype) => {
        real.mul.call(b, y, a, z, n, dtype)
        real.fill.call(b, a, 0, 1, dtype)
      }
    }, 'axpby and mul f16'),
  ).toMatch(/an input was changed/)
  expect(
    await failing((b) => {
      b.mul = (y, a, z, n, dtype) => {
        b.alloc(4)
        real.mul.call(b, y, a, z, n, dtype)
      }
    }, 'axpby and mul f32'),
  ).toMatch(/buffers were left/)
})

it('catches a recorded product that is not done again', async () => {
  const recorded = (replays: boolean) => (b: Backend) => {
    b.record = (work) => {
      if (!replays) work()
      return { replay: replays ? work : () => undefined, release: () => undefined }
    }
  }
  expect(await failing(recorded(true), 'recording: gemm bf16')).toBe('passed')
  expect(await failing(recorded(true), 'recording: lowRank f32')).toBe('passed')
  expect(await failing(recorded(false), 'recording: gemm bf16')).toMatch(
    /replayed on the numbers of turn 1: y\[0\] of 65 expected/,
  )
})
