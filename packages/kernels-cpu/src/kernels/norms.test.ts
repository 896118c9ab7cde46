import { it } from 'vitest'

import { at, close, dtypes, input, onEachInstructionSet, sequence } from './kernels.fixture.js'

onEachInstructionSet(({ backend, put, empty, get }) => {
  for (const dtype of dtypes) {
    for (const [rows, cols] of [
      [1, 1],
      [5, 67],
      [130, 300],
    ] as const) {
      it(`norms of [${rows}, ${cols}] in ${dtype}`, async () => {
        const n = rows * cols
        const [x, w, b, dy, old] = [
          input(n, 6, dtype, 3),
          input(cols, 7, dtype),
          input(cols, 8, dtype),
          input(n, 9, dtype),
          input(n, 10, dtype),
        ]
        const row = (values: number[], r: number) => values.slice(r * cols, (r + 1) * cols)
        const mean = (values: number[]) => values.reduce((a, c) => a + c, 0) / values.length
        for (const layer of [false, true]) {
          const eps = 1e-5
          const means = Array.from({ length: rows }, (_, r) => (layer ? mean(row(x, r)) : 0))
          const rstds = means.map((m, r) => 1 / Math.sqrt(mean(row(x, r).map((v) => (v - m) ** 2)) + eps))
          const hat = x.map((v, i) => (v - at(means, Math.floor(i / cols))) * at(rstds, Math.floor(i / cols)))
          const [bx, bw, bb, bdy, y] = [
            put(x, dtype),
            put(w, dtype),
            put(b, dtype),
            put(dy, dtype),
            empty(n, dtype),
          ]
          const [bm, br] = [empty(rows, 'f32'), empty(rows, 'f32')]
          if (layer) backend.layerNorm(y, bm, br, bx, bw, bb, rows, cols, eps, dtype)
          else backend.rmsNorm(y, br, bx, bw, rows, cols, eps, dtype)
          const expected = hat.map((v, i) => v * at(w, i % cols) + (layer ? at(b, i % cols) : 0))
          // A row of one element less its mean is the rounding of the mean.
          close(await get(y, n, dtype), expected, dtype, 1)
          close(await get(br, rows, 'f32'), rstds, 'f32')

          const g = dy.map((v, i) => v * at(w, i % cols))
          const perRow = (values: number[]) => Array.from({ length: rows }, (_, r) => mean(row(values, r)))
          const slopes = perRow(g.map((v, i) => v * at(hat, i)))
          const shifts = perRow(g)
          const dx = g.map((v, i) => {
            const r = Math.floor(i / cols)
            return at(rstds, r) * (v - at(hat, i) * at(slopes, r) - (layer ? at(shifts, r) : 0)) + at(old, i)
          })
          const bdx = put(old, dtype)
          const [dw, db] = [put(sequence(cols, 11), 'f32'), put(sequence(cols, 12), 'f32')]
          const sums = (term: (i: number) => number, start: Float32Array) =>
            Array.from(start, (s, c) => {
              for (let r = 0; r < rows; r++) s += term(r * cols + c)
              return s
            })
          if (layer) backend.layerNormBackward(bdx, dw, db, bdy, bx, bw, bm, br, rows, cols, dtype, 1)
          else backend.rmsNormBackward(bdx, dw, bdy, bx, bw, br, rows, cols, dtype, 1)
          const scale = layer && cols === 1 ? 100 : 1
          close(await get(bdx, n, dtype), dx, dtype, scale)
          close(
            await get(dw, cols, 'f32'),
            sums((i) => at(dy, i) * at(hat, i), sequence(cols, 11)),
            'f32',
            scale,
          )
          if (layer)
            close(
              await get(db, cols, 'f32'),
              sums((i) => at(dy, i), sequence(cols, 12)),
              'f32',
              1,
            )
        }
      })
    }
  }
})
