import { mostTop } from '../../backend.js'
import type { FloatDType } from '../../dtype.js'
import { IftError } from '../../errors.js'
import { compare, numbers } from '../compare.js'
import type { KernelCase } from '../conformance.js'

/** Entries with many equal ones, as scores in 16 bits have them. */
const coarse = (n: number, seed: number) => numbers(n, seed).map((v) => Math.round(v * 40) / 4)

export const topRowCases = (dtype: FloatDType): KernelCase[] => [
  {
    name: `topRows ${dtype}`,
    run: async (backend) => {
      for (const [rows, cols, k] of [
        [1, 1, 1],
        [3, 63, 1],
        [3, 63, 63],
        [2, 65, 7],
        [1, 1000, 50],
        [2, 5003, mostTop],
        [2, 50257, 1],
        [1, 50257, 40],
      ] as const) {
        for (const [kind, values] of [
          ['fine', numbers(rows * cols, 3).map((v) => v * 20)],
          ['coarse', coarse(rows * cols, 3)],
        ] as const) {
          await compare(
            `topRows ${k} of ${rows}×${cols}, ${kind}`,
            backend,
            {
              values: { dtype: 'f32', values: numbers(rows * k, 1), out: 'f32', exact: true },
              indices: { dtype: 'i32', values: numbers(rows * k, 2), out: 'f32', exact: true },
              logSum: { dtype: 'f32', values: numbers(rows, 2), out: 'f32' },
              x: { dtype, values },
            },
            (kernels, b) =>
              kernels.topRows(b.values, b.indices, b.logSum, b.x, { rows, cols, k, scale: 0.7, dtype }),
          )
        }
      }
    },
  },
  {
    name: `topRows of equal, infinite and undefined entries ${dtype}`,
    run: async (backend) => {
      const cols = 300
      for (const [kind, at] of [
        ['equal', () => 2.5],
        ['zeros of both signs', (c: number) => (c % 2 ? 0 : -0)],
        ['masked', (c: number) => (c === 7 || c === 200 ? c / 100 : -Infinity)],
        ['all masked', () => -Infinity],
        ['undefined', (c: number) => (c % 3 ? NaN : c % 2 ? -Infinity : -c)],
        ['all undefined', () => NaN],
      ] as const) {
        for (const k of [1, 5, 250]) {
          await compare(
            `topRows ${k} of ${cols} ${kind}`,
            backend,
            {
              values: { dtype: 'f32', values: numbers(k, 1), out: 'f32', exact: true },
              indices: { dtype: 'i32', values: numbers(k, 2), out: 'f32', exact: true },
              x: { dtype, values: Array.from({ length: cols }, (_, c) => at(c)) },
            },
            (kernels, b) =>
              kernels.topRows(b.values, b.indices, null, b.x, { rows: 1, cols, k, scale: 1, dtype }),
          )
        }
      }
    },
  },
  {
    name: `topRows refuses k ${dtype}`,
    run: async (backend) => {
      const buffer = backend.alloc(4 * 4096)
      const indices = backend.alloc(4 * 4096)
      try {
        for (const [k, cols] of [
          [0, 8],
          [9, 8],
          [1.5, 8],
          [mostTop + 1, 2048],
        ] as const) {
          let found: unknown
          try {
            backend.topRows(buffer, indices, null, buffer, { rows: 1, cols, k, scale: 1, dtype })
            await backend.synchronize()
          } catch (error) {
            found = error
          }
          if (!(found instanceof IftError) || found.code !== 'IFT_ARGUMENT')
            throw new IftError('IFT_CONFORMANCE', `topRows took k ${k} of ${cols}`)
        }
      } finally {
        for (const buf of [buffer, indices]) backend.free(buf)
      }
    },
  },
]
