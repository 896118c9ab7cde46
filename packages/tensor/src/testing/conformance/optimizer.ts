import type { FloatDType } from '../../dtype.js'
import { compare, numbers } from '../compare.js'
import type { KernelCase } from '../conformance.js'

export const optimizerCases = (dtype: FloatDType): KernelCase[] => [
  {
    name: `squaredNorm and clipFactor ${dtype}`,
    run: async (backend) => {
      for (const n of [1, 63, 64, 5000]) {
        for (const beta of [0, 1] as const) {
          await compare(
            `squaredNorm ${n}, beta ${beta}`,
            backend,
            {
              y: { dtype: 'f32', values: [3], out: 'f32' },
              factor: { dtype: 'f32', values: [9], out: 'f32' },
              x: { dtype, values: numbers(n, 1) },
            },
            (kernels, { y, factor, x }) => {
              kernels.squaredNorm(y, x, n, dtype, beta)
              kernels.clipFactor(factor, y, 1)
            },
          )
        }
      }
    },
  },
  {
    name: `adamw ${dtype}`,
    run: async (backend) => {
      for (const n of [1, 63, 65, 1000]) {
        for (const clip of [false, true]) {
          for (const step of [1, 1000]) {
            await compare(
              `adamw ${n}, clipped ${clip}, step ${step}`,
              backend,
              {
                param: { dtype, values: numbers(n, 1), out: dtype },
                master: { dtype: 'f32', values: numbers(n, 1), out: 'f32' },
                grad: { dtype: 'f32', values: numbers(n, 2) },
                m: { dtype: 'f32', values: numbers(n, 3).map((v) => v * 0.1), out: 'f32' },
                v: { dtype: 'f32', values: numbers(n, 4).map((v) => v * v + 1e-4), out: 'f32' },
                clip: { dtype: 'f32', values: [0.25] },
              },
              (kernels, b) =>
                kernels.adamw(
                  b.param,
                  dtype === 'f32' ? null : b.master,
                  b.grad,
                  b.m,
                  b.v,
                  clip ? b.clip : null,
                  {
                    n,
                    lr: 1e-2,
                    beta1: 0.9,
                    beta2: 0.999,
                    eps: 1e-8,
                    weightDecay: 0.1,
                    step,
                    dtype,
                  },
                ),
            )
          }
        }
      }
    },
  },
]
