import { referenceBackend } from '@ift/tensor/reference'
import { expect, test } from 'vitest'
import { truncatedNormal } from './truncated-normal.js'

async function drawn(seed: number, stream: number): Promise<Float32Array> {
  const backend = referenceBackend()
  const start = truncatedNormal(0.01, [100, 50], { backend, seed }, stream)
  const values = start.kind === 'values' ? await start.values() : new Float32Array()
  expect(backend.memory().buffers).toBe(0)
  backend.close()
  return values
}

test('a normal distribution within two deviations', async () => {
  const values = await drawn(1, 0)
  expect(values).toHaveLength(5000)
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length)
  expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(0.02)
  // That of N(0, 1) cut at ±2 is 0.8796.
  expect(deviation / 0.01).toBeCloseTo(0.8796, 1)
  // What was drawn again is spread as well: 4.5 % would lie beyond.
  expect(values.filter((value) => Math.abs(value) > 0.019).length).toBeLessThan(5000 * 0.02)
  expect(values.every((value) => value !== 0)).toBe(true)
})

test('it is that of its seed and stream', async () => {
  expect(await drawn(1, 0)).toEqual(await drawn(1, 0))
  expect(await drawn(2, 0)).not.toEqual(await drawn(1, 0))
  expect(await drawn(1, 64)).not.toEqual(await drawn(1, 0))
})
