import type { Buf } from '../../backend.js'
import type { FloatDType } from '../../dtype.js'
import { compare, numbers } from '../compare.js'
import type { KernelCase } from '../conformance.js'

const sizes = [
  [1, 1, 1],
  [1, 65, 64],
  [7, 33, 129],
  [64, 64, 64],
  [65, 63, 65],
  [130, 257, 96],
] as const

/** Types of outputs: each of them for each type of inputs. */
const floats = ['f32', 'bf16', 'f16'] as const

/** Rows, inputs, outputs, rank. */
const lowRankSizes = [
  [33, 96, 40, 8],
  [65, 130, 130, 3],
  [3, 40, 96, 16],
] as const

export function productCases(dtype: FloatDType): KernelCase[] {
  const cases: KernelCase[] = []
  for (const transA of [false, true]) {
    for (const transB of [false, true]) {
      cases.push({
        name: `gemm ${dtype}${transA ? ', a transposed' : ''}${transB ? ', b transposed' : ''}`,
        run: async (backend) => {
          for (const [m, n, k] of sizes) {
            for (const beta of [0, 1] as const) {
              for (const outDtype of floats) {
                for (const withBias of [false, true]) {
                  const alpha = beta === 1 ? 0.5 : 1
                  await compare(
                    `gemm ${m}×${n}×${k}, beta ${beta}, out ${outDtype}, bias ${withBias}`,
                    backend,
                    {
                      y: { dtype: outDtype, values: numbers(m * n, 1), out: outDtype },
                      a: { dtype, values: numbers(m * k, 2) },
                      b: { dtype, values: numbers(k * n, 3) },
                      bias: { dtype, values: numbers(n, 4) },
                    },
                    (kernels, { y, a, b, bias }) =>
                      kernels.gemm(y, a, b, withBias ? bias : null, {
                        m,
                        n,
                        k,
                        transA,
                        transB,
                        alpha,
                        beta,
                        dtype,
                        outDtype,
                      }),
                  )
                }
              }
            }
          }
        },
      })
    }
  }
  cases.push({
    name: `lowRank ${dtype}`,
    run: async (backend) => {
      for (const [n, k, m, r] of lowRankSizes) {
        for (const beta of [0, 1] as const) {
          for (const outDtype of new Set([dtype, 'f32'] as const)) {
            for (const own of [false, true]) {
              await compare(
                `lowRank ${n}×${k} -> ${m}, rank ${r}, beta ${beta}, out ${outDtype}, z its own ${own}`,
                backend,
                {
                  y: { dtype: outDtype, values: numbers(n * m, 1), out: outDtype },
                  low: { dtype, values: numbers(n * r, 2), out: dtype },
                  x: { dtype, values: numbers(n * k, 3) },
                  z: { dtype, values: numbers(n * k, 4) },
                  w: { dtype, values: numbers(m * k, 5) },
                  a: { dtype, values: numbers(r * k, 6) },
                  b: { dtype, values: numbers(m * r, 7) },
                  bias: { dtype, values: numbers(m, 8) },
                },
                (kernels, { y, low, x, z, w, a, b, bias }) => {
                  const p = { n, k, m, r, scale: 0.5, dtype, beta, outDtype }
                  kernels.lowRank(y, low, x, own ? z : x, w, a, b, own ? bias : null, p)
                },
              )
            }
          }
        }
      }
    },
  })
  cases.push({
    name: `lowRankBackward ${dtype}`,
    run: async (backend) => {
      for (const [n, k, m, r] of lowRankSizes) {
        for (const beta of [0, 1] as const) {
          // Frozen inputs and factors, dropout between x and z, and an adapter without either.
          for (const [x, z, a, b] of [
            [true, false, true, true],
            [true, true, true, false],
            [true, false, false, true],
            [false, true, true, true],
            [false, false, true, true],
          ] as const) {
            const wanted = Object.entries({ x, z, a, b }).flatMap(([name, is]) => (is ? [name] : []))
            await compare(
              `lowRankBackward ${n}×${k} -> ${m}, rank ${r}, beta ${beta}, gradients of ${wanted.join(', ')}`,
              backend,
              {
                dx: { dtype, values: numbers(n * k, 1), out: dtype },
                dz: { dtype, values: numbers(n * k, 2), out: dtype },
                da: { dtype: 'f32', values: numbers(r * k, 3), out: 'f32' },
                db: { dtype: 'f32', values: numbers(m * r, 4), out: 'f32' },
                dy: { dtype, values: numbers(n * m, 5) },
                values: { dtype, values: numbers(n * k, 6) },
                low: { dtype, values: numbers(n * r, 7) },
                w: { dtype, values: numbers(m * k, 8) },
                up: { dtype, values: numbers(m * r, 9) },
                down: { dtype, values: numbers(r * k, 10) },
              },
              (kernels, { dx, dz, da, db, dy, values, low, w, up, down }) => {
                const to = (is: boolean, buf: Buf, dtype: FloatDType) => (is ? { buf, beta, dtype } : null)
                kernels.lowRankBackward(
                  {
                    x: to(x, dx, dtype),
                    z: to(z, dz, dtype),
                    a: to(a, da, 'f32'),
                    b: to(b, db, 'f32'),
                    joined: !z,
                  },
                  dy,
                  a ? values : null,
                  low,
                  x ? w : null,
                  down,
                  up,
                  { n, k, m, r, scale: 0.5, dtype },
                )
              },
            )
          }
        }
      }
    },
  })
  cases.push({
    name: `sumRows ${dtype}`,
    run: async (backend) => {
      for (const [rows, cols] of [
        [1, 1],
        [1, 65],
        [63, 64],
        [200, 3],
      ] as const) {
        for (const beta of [0, 1] as const) {
          await compare(
            `sumRows ${rows}×${cols}, beta ${beta}`,
            backend,
            {
              y: { dtype: 'f32', values: numbers(cols, 1), out: 'f32' },
              x: { dtype, values: numbers(rows * cols, 2) },
            },
            (kernels, { y, x }) => kernels.sumRows(y, x, rows, cols, dtype, beta),
          )
        }
      }
    },
  })
  return cases
}
