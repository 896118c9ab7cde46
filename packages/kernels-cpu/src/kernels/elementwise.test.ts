import { expect, it } from 'vitest'

import { at, close, dtypes, input, onEachInstructionSet, round } from './kernels.fixture.js'

onEachInstructionSet(({ backend, put, empty, get }) => {
  for (const dtype of dtypes) {
    it(`element-wise arithmetic in ${dtype}`, async () => {
      const n = 9001
      const [x, z] = [input(n, 16, dtype), input(n, 17, dtype)]
      const [bx, bz, y] = [put(x, dtype), put(z, dtype), empty(n, dtype)]
      backend.mul(y, bx, bz, n, dtype)
      expect(await get(y, n, dtype)).toEqual(
        round(
          x.map((v, i) => Math.fround(v * at(z, i))),
          dtype,
        ),
      )
      for (const to of dtypes) {
        const cast = empty(n, to)
        backend.cast(cast, bx, n, to, dtype)
        expect(await get(cast, n, to)).toEqual(round(x, to))
      }
      backend.axpby(bx, 2, bx, -0.5, bz, n, dtype)
      close(
        await get(bx, n, dtype),
        x.map((v, i) => 2 * v - 0.5 * at(z, i)),
        dtype,
      )
      backend.fill(y, 1 / 3, n, dtype)
      expect(new Set(await get(y, n, dtype))).toEqual(new Set(round([Math.fround(1 / 3)], dtype)))
    })
  }
})
