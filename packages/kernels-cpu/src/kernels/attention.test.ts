import { expect, it } from 'vitest'

import { at, close, dtypes, input, onEachInstructionSet, sequence } from './kernels.fixture.js'

onEachInstructionSet(({ backend, put, empty, get }) => {
  for (const dtype of dtypes) {
    it(`rope in ${dtype}`, async () => {
      const [rows, heads, headDim, dims, dimOffset] = [9, 3, 40, 24, 8]
      const n = rows * heads * headDim
      const x = input(n, 18, dtype)
      const positions = Array.from({ length: rows }, (_, r) => (r === 8 ? 131071 : r * 37))
      const invFreq = Float32Array.from({ length: dims / 2 }, (_, i) => 10000 ** ((-2 * i) / dims))
      const [bp, bf] = [put(positions, 'i32'), put(invFreq, 'f32')]
      for (const interleaved of [false, true]) {
        const p = { rows, heads, headDim, dimOffset, dims, interleaved, inverse: false, scale: 1.25, dtype }
        const expected = [...x]
        for (let r = 0; r < rows; r++) {
          for (let h = 0; h < heads; h++) {
            for (let i = 0; i < dims / 2; i++) {
              const base = (r * heads + h) * headDim + dimOffset
              const [a, b] = interleaved ? [base + 2 * i, base + 2 * i + 1] : [base + i, base + i + dims / 2]
              const angle = at(positions, r) * (invFreq[i] ?? NaN)
              const [c, s] = [1.25 * Math.cos(angle), 1.25 * Math.sin(angle)]
              expected[a] = at(x, a) * c - at(x, b) * s
              expected[b] = at(x, b) * c + at(x, a) * s
            }
          }
        }
        const buf = put(x, dtype)
        backend.rope(buf, buf, bp, bf, p)
        close(await get(buf, n, dtype), expected, dtype)
        backend.rope(buf, buf, bp, bf, { ...p, inverse: true, scale: 1 / 1.25 })
        close(await get(buf, n, dtype), x, dtype, 1)
      }
    })
  }

  it('attends through the checked calls', async () => {
    const [q, v] = [sequence(4 * 2 * 8, 43), sequence(4 * 8, 44)]
    const [bq, bv, out, lse] = [put(q, 'f32'), put(v, 'f32'), empty(64, 'f32'), empty(8, 'f32')]
    const cu = put([0, 1, 4], 'i32')
    const shape = { segments: 2, cuQ: cu, cuK: cu, maxQ: 3, maxK: 3, rowsQ: 4, rowsK: 4 }
    const heads = { heads: 2, kvHeads: 1, headDim: 8, scale: 0.5, causal: true, dtype: 'f32' } as const
    backend.attention(out, lse, bq, bv, bv, { ...shape, ...heads })
    const attended = Array.from({ length: 64 }, (_, i) => {
      const [r, h, d] = [Math.floor(i / 16), Math.floor(i / 8) % 2, i % 8]
      let [sum, total] = [0, 0]
      for (let j = r === 0 ? 0 : 1; j <= r; j++) {
        let score = 0
        for (let e = 0; e < 8; e++) score += (q[r * 16 + h * 8 + e] ?? NaN) * (v[j * 8 + e] ?? NaN)
        const weight = Math.exp(0.5 * score)
        sum += weight * (v[j * 8 + d] ?? NaN)
        total += weight
      }
      return sum / total
    })
    close(await get(out, 64, 'f32'), attended, 'f32', 1)
    backend.attention(out, lse, bq, bv, bv, { ...shape, ...heads, cuQ: put([0, 5, 4], 'i32') })
    await expect(backend.synchronize()).rejects.toThrow(/attention: cuQ is \[0, 5, 4\]/)
  })
})
