import { expect, test } from 'vitest'
import { emulatedIsBuilt, openEmulated } from './emulated.fixture.js'

const ready = emulatedIsBuilt()
if (!ready) console.log('skipped: the inventory and profiles of a GPU need the emulated build')

test.skipIf(!ready)('the inventory names every kernel once, with the shared memory of its launches', () => {
  const backend = openEmulated()
  const kernels = backend.inventory()
  const names = kernels.map(({ name }) => name)
  expect(names).toEqual([...new Set(names)].sort())
  const one = (name: string) => kernels.find((kernel) => kernel.name === name)
  const zeros = { registers: 0, localBytes: 0, sharedBytes: 0, constBytes: 0, largestBlock: 0 }
  expect(one('ift_rms_norm_bf16')).toEqual({
    name: 'ift_rms_norm_bf16',
    ...zeros,
    dynamicShared: 0,
    error: null,
  })
  // Queries of 128 rows and two tiles of 32 keys, in rows of 136 numbers of two bytes.
  expect(one('ift_attention_forward_bf16_128')?.dynamicShared).toBe((128 + 2 * 32) * 136 * 2)
  backend.close()
})

test.skipIf(!ready)('a profile counts the launches between its start and its end, by shape', async () => {
  const backend = openEmulated()
  const [y, x] = [backend.alloc(64), backend.alloc(64)]
  const product = (m: number) => {
    const p = { m, n: 2, k: 2, transA: false, transB: true, alpha: 1, beta: 1 } as const
    backend.gemm(y, x, x, null, { ...p, dtype: 'f32', outDtype: 'f32' })
  }
  backend.fill(x, 1, 16, 'f32')
  backend.startProfile()
  product(2)
  product(3)
  product(2)
  backend.fill(y, 1, 16, 'f32')
  const times = backend.stopProfile()
  product(2)
  await backend.synchronize()
  const calls = times.map(({ kernel, detail, calls }) => [kernel, detail, calls])
  expect(calls).toEqual([
    ['gemm', '2x2x2 nt f32 -> +f32', 2],
    ['gemm', '3x2x2 nt f32 -> +f32', 1],
    ['ift_fill_32', '', 1],
  ])
  expect(times.every(({ ms }) => ms > 0)).toBe(true)
  expect(backend.stopProfile()).toEqual([])
  backend.close()
})
