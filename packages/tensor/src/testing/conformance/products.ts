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

export function productCases(dtype: FloatDType): KernelCase[] {
  const cases: KernelCase[] = []
  for (const transA of [false, true]) {
    for (const transB of [false, true]) {
      cases.push({
        name: `gemm ${dtype}${transA ? ', a transposed' : ''}${transB ? ', b transposed' : ''}`,
        run: async (backend) => {
          for (const [m, n, k] of sizes) {
            for (const beta of [0, 1] as const) {
              for (const outDtype of new Set([dtype, 'f32'] as const)) {
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
    name: `gemm ${dtype} plus a low-rank product`,
    run: async (backend) => {
      for (const [m, n, k, rank] of [
        [33, 40, 96, 8],
        [65, 130, 130, 16],
        [20, 96, 100, 3],
        [3, 40, 96, 8],
      ] as const) {
        for (const transB of [false, true]) {
          for (const alpha of [2, 0.3]) {
            const beta = transB ? 1 : 0
            await compare(
              `gemm ${m}×${n}×${k} + ${alpha} · ${m}×${n}×${rank}, b transposed ${transB}`,
              backend,
              {
                y: { dtype, values: numbers(m * n, 1), out: dtype },
                a: { dtype, values: numbers(m * k, 2) },
                b: { dtype, values: numbers(k * n, 3) },
                low: { dtype, values: numbers(m * rank, 4) },
                up: { dtype, values: numbers(rank * n, 5) },
              },
              (kernels, { y, a, b, low, up }) =>
                kernels.gemm(y, a, b, null, {
                  m,
                  n,
                  k,
                  transA: false,
                  transB,
                  alpha: 1,
                  beta,
                  dtype,
                  outDtype: dtype,
                  plus: { a: low, b: up, k: rank, alpha },
                }),
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
