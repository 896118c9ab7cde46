import { expect, it } from 'vitest'

import { close, onEachInstructionSet, sequence } from './kernels.fixture.js'

onEachInstructionSet(({ backend, put, empty, get }) => {
  it('multiplies through the checked calls', async () => {
    const [m, k, n] = [5, 33, 17]
    const [a, b, bias] = [sequence(m * k, 40), sequence(n * k, 41), sequence(n, 42)]
    const y = empty(m * n, 'f32')
    const [ba, bb, bc] = [put(a, 'f32'), put(b, 'f32'), put(bias, 'f32')]
    const p = {
      m,
      n,
      k,
      transA: false,
      transB: true,
      alpha: 2,
      beta: 0,
      dtype: 'f32',
      outDtype: 'f32',
    } as const
    backend.gemm(y, ba, bb, bc, p)
    const expected = Array.from({ length: m * n }, (_, i) => {
      const [r, c] = [Math.floor(i / n), i % n]
      let sum = 0
      for (let j = 0; j < k; j++) sum += (a[r * k + j] ?? NaN) * (b[c * k + j] ?? NaN)
      return 2 * sum + (bias[c] ?? NaN)
    })
    close(await get(y, m * n, 'f32'), expected, 'f32', 5)
    expect(() => {
      backend.gemm(y, ba, bb, bc, { ...p, m: 6 })
    }).toThrow(/gemm: y \[6, 17\] in f32 does not fit/)
  })
})
