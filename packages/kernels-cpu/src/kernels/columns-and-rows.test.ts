import { expect, it } from 'vitest'

import { at, close, dtypes, input, onEachInstructionSet, sequence } from './kernels.fixture.js'

onEachInstructionSet(({ backend, put, empty, get }) => {
  for (const dtype of dtypes) {
    it(`columns, rows and copies in ${dtype}`, async () => {
      const [rows, cols] = [150, 131]
      const n = rows * cols
      const [x, z] = [input(n, 13, dtype), input(n, 14, dtype)]
      const s = sequence(cols, 15)
      const [bx, bz, bs, y] = [put(x, dtype), put(z, dtype), put(s, 'f32'), empty(n, dtype)]
      backend.scaleColumns(y, bx, bs, rows, cols, dtype)
      close(
        await get(y, n, dtype),
        x.map((v, i) => v * (s[i % cols] ?? NaN)),
        dtype,
      )
      const column = (term: (i: number) => number) =>
        Array.from(s, (_, c) =>
          Array.from({ length: rows }, (_, r) => term(r * cols + c)).reduce((a, v) => a + v, 0),
        )
      const sums = put(s, 'f32')
      backend.sumRows(sums, bx, rows, cols, dtype, 0)
      close(
        await get(sums, cols, 'f32'),
        column((i) => at(x, i)),
        'f32',
        5,
      )
      backend.write(sums, s)
      backend.scaleColumnsBackward(sums, bz, bx, rows, cols, dtype)
      const products = column((i) => at(x, i) * at(z, i)).map((v, c) => v + (s[c] ?? NaN))
      close(await get(sums, cols, 'f32'), products, 'f32', 5)
      const norms = empty(rows, 'f32')
      backend.rowNorms(norms, bx, rows, cols, dtype)
      const expected = Array.from({ length: rows }, (_, r) =>
        Math.hypot(...x.slice(r * cols, (r + 1) * cols)),
      )
      close(await get(norms, rows, 'f32'), expected, 'f32')
      backend.squaredNorm(norms, bx, n, dtype, 0)
      backend.squaredNorm(norms, bx, n, dtype, 1)
      const total = 2 * x.reduce((a, v) => a + v * v, 0)
      close(await get(norms, 1, 'f32'), [total], 'f32')
      const factor = empty(1, 'f32')
      backend.clipFactor(factor, norms, 3)
      close(await get(factor, 1, 'f32'), [3 / Math.sqrt(total)], 'f32')

      const ids = [7, 0, 149, 7]
      const bi = put(ids, 'i32')
      const picked = empty(4 * cols, dtype)
      backend.gatherRows(picked, bx, bi, 4, cols, rows, dtype)
      const gathered = ids.flatMap((id) => x.slice(id * cols, (id + 1) * cols))
      expect(await get(picked, 4 * cols, dtype)).toEqual(gathered)
      const table = put(new Float32Array(n), 'f32')
      backend.scatterRows(table, picked, bi, 4, cols, rows, dtype, 'f32', 1)
      const scattered = new Array<number>(n).fill(0)
      for (const [r, id] of ids.entries()) {
        for (let c = 0; c < cols; c++)
          scattered[id * cols + c] = at(scattered, id * cols + c) + at(gathered, r * cols + c)
      }
      close(await get(table, n, 'f32'), scattered, 'f32')

      const before = await get(y, n, dtype)
      backend.copy2d(y, 3, 50, bx, 1, cols, 20, 40, dtype, 0)
      backend.copy2d(y, 3, 50, bz, 2, cols, 20, 40, dtype, 1)
      const copied = Array.from({ length: 800 }, (_, i) => {
        const [r, c] = [Math.floor(i / 40), i % 40]
        return at(x, 1 + r * cols + c) + at(z, 2 + r * cols + c)
      })
      const all = await get(y, n, dtype)
      close(
        Array.from({ length: 800 }, (_, i) => at(all, 3 + Math.floor(i / 40) * 50 + (i % 40))),
        copied,
        dtype,
      )
      // What lies between the rows is as it was.
      const between = (i: number) => i < 3 || (i < 1003 && (i - 3) % 50 >= 40)
      expect(all.filter((_, i) => between(i))).toEqual(before.filter((_, i) => between(i)))
    })
  }
})
