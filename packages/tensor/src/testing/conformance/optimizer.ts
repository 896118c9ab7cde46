import type { FloatDType } from '../../dtype.js'
import { compare, numbers, type Operand } from '../compare.js'
import type { KernelCase } from '../conformance.js'

/** What a step that changes nothing is scaled by. */
const nothing: Operand = { dtype: 'f32', values: [NaN] }

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
  {
    name: `clipFactor of what is not finite, and of no limit ${dtype}`,
    run: async (backend) => {
      for (const [squared, maxNorm] of [
        [NaN, 1],
        [Infinity, 1],
        [4, Infinity],
        [0, 1],
      ] as const)
        await compare(
          `clipFactor of ${squared}, at most ${maxNorm}`,
          backend,
          {
            y: { dtype: 'f32', values: [9], out: 'f32' },
            squared: { dtype: 'f32', values: [squared] },
          },
          (kernels, { y, squared }) => kernels.clipFactor(y, squared, maxNorm),
        )
    },
  },
  {
    name: `adamw changes nothing where the gradient is not finite ${dtype}`,
    run: async (backend) => {
      const n = 70
      const p = { n, lr: 1e-2, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.1, step: 3, dtype }
      await compare(
        'adamw, skipped',
        backend,
        {
          ...untouched(n, dtype),
          m: { dtype: 'f32', values: numbers(n, 3) },
          v: { dtype: 'f32', values: numbers(n, 4).map(Math.abs) },
        },
        (kernels, b) =>
          kernels.adamw(b.param, dtype === 'f32' ? null : b.master, b.grad, b.m, b.v, b.scale, p),
      )
    },
  },
  {
    name: `lion ${dtype}`,
    run: async (backend) => {
      for (const n of [1, 63, 65, 9000]) {
        for (const clip of [false, true]) {
          await compare(
            `lion ${n}, clipped ${clip}`,
            backend,
            {
              ...moved(n, dtype),
              m: { dtype: 'f32', values: numbers(n, 3), out: 'f32' },
            },
            (kernels, b) =>
              kernels.lion(b.param, dtype === 'f32' ? null : b.master, b.grad, b.m, clip ? b.clip : null, {
                n,
                ...lionRates,
                dtype,
              }),
          )
        }
      }
      await compare(
        'lion of zeros',
        backend,
        {
          param: { dtype, values: numbers(9, 1), out: dtype },
          master: { dtype: 'f32', values: numbers(9, 1), out: 'f32' },
          grad: { dtype: 'f32', values: new Float64Array(9) },
          m: { dtype: 'f32', values: new Float64Array(9), out: 'f32', exact: true },
        },
        (kernels, b) =>
          kernels.lion(b.param, dtype === 'f32' ? null : b.master, b.grad, b.m, null, {
            n: 9,
            ...lionRates,
            dtype,
          }),
      )
      await compare(
        'lion, skipped',
        backend,
        { ...untouched(70, dtype), m: { dtype: 'f32', values: numbers(70, 3) } },
        (kernels, b) =>
          kernels.lion(b.param, dtype === 'f32' ? null : b.master, b.grad, b.m, b.scale, {
            n: 70,
            ...lionRates,
            dtype,
          }),
      )
    },
  },
  {
    name: `adafactor ${dtype}`,
    run: async (backend) => {
      for (const [rows, cols] of [
        [1, 1],
        [1, 65],
        [70, 1],
        [8, 300],
        [40, 1030],
        // More shares of work than a device has: once.
        ...(dtype === 'f32' ? [[130, 4100] as const] : []),
      ] as const)
        for (const factored of [true, false])
          for (const [i, epsilon2] of [null, 1e-3].entries()) {
            if (rows * cols > 100_000 && !(factored && epsilon2 === null)) continue
            const n = rows * cols
            const momentum = i === 1
            await compare(
              `adafactor ${rows}x${cols}, factored ${factored}, scaled by the parameter ${epsilon2}`,
              backend,
              {
                ...moved(n, dtype),
                v: { dtype: 'f32', values: numbers(factored ? rows : n, 3).map(positive), out: 'f32' },
                column: {
                  dtype: 'f32',
                  values: numbers(cols, 4).map(positive),
                  ...(factored ? { out: 'f32' as const } : {}),
                },
                m: {
                  dtype: 'f32',
                  values: numbers(n, 5).map((v) => v * 1e-2),
                  ...(momentum ? { out: 'f32' as const } : {}),
                },
              },
              (kernels, b) => {
                const master = dtype === 'f32' ? null : b.master
                const [column, m] = [factored ? b.column : null, momentum ? b.m : null]
                const scale = momentum ? b.clip : null
                const p = { rows, cols, ...adafactorRates, epsilon2, dtype }
                kernels.adafactor(b.param, master, b.grad, b.v, column, m, scale, p)
              },
            )
          }
    },
  },
  {
    name: `adafactor at the first step, of rows and columns without a gradient, and skipped ${dtype}`,
    run: async (backend) => {
      const [rows, cols] = [5, 40]
      const n = rows * cols
      // 0 in two rows and in all columns but the first ten, and everywhere.
      const some = numbers(n, 2).map((v, i) => (i % cols < 10 && Math.floor(i / cols) > 1 ? v : 0))
      const p = { rows, cols, ...adafactorRates, beta2: 0, epsilon2: null, dtype }
      for (const grad of [some, new Float64Array(n)])
        await compare(
          'adafactor of zeros',
          backend,
          {
            ...moved(n, dtype),
            grad: { dtype: 'f32', values: grad },
            v: { dtype: 'f32', values: new Float64Array(rows), out: 'f32' },
            column: { dtype: 'f32', values: new Float64Array(cols), out: 'f32' },
          },
          (kernels, b) =>
            kernels.adafactor(
              b.param,
              dtype === 'f32' ? null : b.master,
              b.grad,
              b.v,
              b.column,
              null,
              null,
              p,
            ),
        )
      await compare(
        'adafactor at rate 0 with a first moment',
        backend,
        {
          ...moved(n, dtype),
          v: { dtype: 'f32', values: numbers(rows, 3).map(positive), out: 'f32' },
          column: { dtype: 'f32', values: numbers(cols, 4).map(positive), out: 'f32' },
          m: { dtype: 'f32', values: numbers(n, 5), out: 'f32' },
        },
        (kernels, b) => {
          const master = dtype === 'f32' ? null : b.master
          kernels.adafactor(b.param, master, b.grad, b.v, b.column, b.m, null, { ...p, lr: 0 })
        },
      )
      await compare(
        'adafactor, skipped',
        backend,
        {
          ...untouched(n, dtype),
          v: { dtype: 'f32', values: numbers(rows, 3).map(positive) },
          column: { dtype: 'f32', values: numbers(cols, 4).map(positive) },
          m: { dtype: 'f32', values: numbers(n, 5) },
        },
        (kernels, b) =>
          kernels.adafactor(
            b.param,
            dtype === 'f32' ? null : b.master,
            b.grad,
            b.v,
            b.column,
            b.m,
            b.scale,
            p,
          ),
      )
    },
  },
]

const lionRates = { lr: 1e-2, beta1: 0.9, beta2: 0.99, weightDecay: 0.1 }
const adafactorRates = {
  lr: 1e-2,
  beta1: 0.9,
  beta2: 0.95,
  epsilon1: 1e-30,
  clipThreshold: 0.8,
  weightDecay: 0.1,
}
const positive = (value: number) => value * value + 1e-2

/** A parameter that a step moves, its gradient, and a factor that clips. */
const moved = (n: number, dtype: FloatDType) =>
  ({
    param: { dtype, values: numbers(n, 1), out: dtype },
    master: { dtype: 'f32', values: numbers(n, 1), out: 'f32' },
    grad: { dtype: 'f32', values: numbers(n, 2) },
    clip: { dtype: 'f32', values: [0.25] },
  }) satisfies Record<string, Operand>

/** A parameter that a step leaves as it is, whatever its gradient. */
const untouched = (n: number, dtype: FloatDType) =>
  ({
    param: { dtype, values: numbers(n, 1) },
    master: { dtype: 'f32', values: numbers(n, 1) },
    grad: { dtype: 'f32', values: numbers(n, 2).map((v, i) => (i === 3 ? NaN : v)) },
    scale: nothing,
  }) satisfies Record<string, Operand>
