import { it } from 'vitest'

import { at, close, dtypes, onEachInstructionSet, sequence } from './kernels.fixture.js'

onEachInstructionSet(({ backend, put, empty, get }) => {
  for (const dtype of dtypes) {
    it(`AdamW in ${dtype}`, async () => {
      const n = 1000
      const w = Array.from(sequence(n, 20))
      const [master, m, v] = [put(w, 'f32'), put(new Float32Array(n), 'f32'), put(new Float32Array(n), 'f32')]
      const param = dtype === 'f32' ? master : empty(n, dtype)
      const scale = put([0.5], 'f32')
      const [ms, vs] = [new Array<number>(n).fill(0), new Array<number>(n).fill(0)]
      const [lr, beta1, beta2, eps, weightDecay] = [1e-2, 0.9, 0.999, 1e-8, 0.1]
      for (let step = 1; step <= 3; step++) {
        const g = sequence(n, 20 + step)
        const p = { n, lr, beta1, beta2, eps, weightDecay, step, dtype }
        backend.adamw(param, dtype === 'f32' ? null : master, put(g, 'f32'), m, v, scale, p)
        for (let i = 0; i < n; i++) {
          const gi = 0.5 * (g[i] ?? NaN)
          ms[i] = beta1 * at(ms, i) + (1 - beta1) * gi
          vs[i] = beta2 * at(vs, i) + (1 - beta2) * gi * gi
          const update = at(ms, i) / (1 - beta1 ** step) / (Math.sqrt(at(vs, i) / (1 - beta2 ** step)) + eps)
          w[i] = at(w, i) * (1 - lr * weightDecay) - lr * update
        }
      }
      close(await get(master, n, 'f32'), w, 'f32')
      close(await get(param, n, dtype), w, dtype)
    })
  }
})
