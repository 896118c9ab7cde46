import type { FloatDType } from '../../dtype.js'
import { compare, numbers } from '../compare.js'
import type { KernelCase } from '../conformance.js'

const sizes = [
  [1, 1],
  [1, 64],
  [3, 63],
  [5, 65],
  [2, 576],
  [70, 16],
] as const

export const normCases = (dtype: FloatDType): KernelCase[] => [
  {
    name: `rmsNorm ${dtype}`,
    run: async (backend) => {
      for (const [rows, cols] of sizes) {
        const n = rows * cols
        await compare(
          `rmsNorm ${rows}×${cols}`,
          backend,
          {
            y: { dtype, values: numbers(n, 1), out: dtype },
            rstd: { dtype: 'f32', values: numbers(rows, 2), out: 'f32' },
            x: { dtype, values: numbers(n, 3) },
            w: { dtype, values: numbers(cols, 4) },
          },
          (kernels, { y, rstd, x, w }) => kernels.rmsNorm(y, rstd, x, w, rows, cols, 1e-5, dtype),
        )
        for (const beta of [0, 1] as const) {
          for (const weight of [false, true]) {
            await compare(
              `rmsNormBackward ${rows}×${cols}, beta ${beta}, dw ${weight}`,
              backend,
              {
                dx: { dtype, values: numbers(n, 1), out: dtype },
                dw: { dtype: 'f32', values: numbers(cols, 2), out: 'f32' },
                dy: { dtype, values: numbers(n, 3) },
                x: { dtype, values: numbers(n, 4) },
                w: { dtype, values: numbers(cols, 5) },
                rstd: { dtype: 'f32', values: numbers(rows, 6).map((v) => 1.5 + v) },
              },
              (kernels, { dx, dw, dy, x, w, rstd }) =>
                kernels.rmsNormBackward(dx, weight ? dw : null, dy, x, w, rstd, rows, cols, dtype, beta),
            )
          }
        }
      }
    },
  },
  {
    name: `layerNorm ${dtype}`,
    run: async (backend) => {
      for (const [rows, cols] of sizes) {
        const n = rows * cols
        await compare(
          `layerNorm ${rows}×${cols}`,
          backend,
          {
            y: { dtype, values: numbers(n, 1), out: dtype },
            mean: { dtype: 'f32', values: numbers(rows, 2), out: 'f32' },
            rstd: { dtype: 'f32', values: numbers(rows, 3), out: 'f32' },
            x: { dtype, values: numbers(n, 4) },
            w: { dtype, values: numbers(cols, 5) },
            b: { dtype, values: numbers(cols, 6) },
          },
          (kernels, { y, mean, rstd, x, w, b }) =>
            kernels.layerNorm(y, mean, rstd, x, w, b, rows, cols, 1e-2, dtype),
        )
        for (const beta of [0, 1] as const) {
          for (const weight of [false, true]) {
            await compare(
              `layerNormBackward ${rows}×${cols}, beta ${beta}, dw and db ${weight}`,
              backend,
              {
                dx: { dtype, values: numbers(n, 1), out: dtype },
                dw: { dtype: 'f32', values: numbers(cols, 2), out: 'f32' },
                db: { dtype: 'f32', values: numbers(cols, 3), out: 'f32' },
                dy: { dtype, values: numbers(n, 4) },
                x: { dtype, values: numbers(n, 5) },
                w: { dtype, values: numbers(cols, 6) },
                mean: { dtype: 'f32', values: numbers(rows, 7) },
                rstd: { dtype: 'f32', values: numbers(rows, 8).map((v) => 1.5 + v) },
              },
              (kernels, { dx, dw, db, dy, x, w, mean, rstd }) =>
                kernels.layerNormBackward(
                  dx,
                  weight ? dw : null,
                  weight ? db : null,
                  dy,
                  x,
                  w,
                  mean,
                  rstd,
                  rows,
                  cols,
                  dtype,
                  beta,
                ),
            )
          }
        }
      }
    },
  },
]
