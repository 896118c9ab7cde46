import type { Unary } from '../../backend.js'
import type { FloatDType } from '../../dtype.js'
import { compare, numbers } from '../compare.js'
import type { KernelCase } from '../conformance.js'

const lengths = [1, 63, 64, 65, 1000]
const kinds: readonly Unary[] = ['geluTanh', 'geluErf', 'silu', 'relu', 'tanh', 'sigmoid']
const others: Readonly<Record<FloatDType, readonly FloatDType[]>> = {
  f32: ['bf16', 'f16'],
  bf16: ['f32', 'f16'],
  f16: ['f32', 'bf16'],
}

/** Wide enough to reach the flat ends of the activations. */
const wide = (n: number, seed: number) => numbers(n, seed).map((v) => v * 12)

export const elementwiseCases = (dtype: FloatDType): KernelCase[] => [
  ...kinds.map((kind): KernelCase => ({
    name: `unary ${kind} ${dtype}`,
    run: async (backend) => {
      for (const n of lengths) {
        for (const inPlace of [false, true]) {
          await compare(
            `${kind} ${n}, in place ${inPlace}`,
            backend,
            { y: { dtype, values: wide(n, 1), out: dtype }, x: { dtype, values: wide(n, 2) } },
            (kernels, { y, x }) => kernels.unary(kind, y, inPlace ? y : x, n, dtype),
          )
        }
        await compare(
          `${kind} backward ${n}`,
          backend,
          {
            dx: { dtype, values: numbers(n, 1), out: dtype },
            dy: { dtype, values: numbers(n, 2) },
            x: { dtype, values: wide(n, 3) },
          },
          (kernels, { dx, dy, x }) => kernels.unaryBackward(kind, dx, dy, x, n, dtype),
        )
      }
    },
  })),
  {
    name: `swiglu ${dtype}`,
    run: async (backend) => {
      for (const n of lengths) {
        for (const inPlace of [false, true]) {
          await compare(
            `swiglu ${n}, in place ${inPlace}`,
            backend,
            {
              y: { dtype, values: wide(n, 1), out: dtype },
              gate: { dtype, values: wide(n, 2) },
              up: { dtype, values: numbers(n, 3) },
            },
            (kernels, { y, gate, up }) => kernels.swiglu(y, inPlace ? y : gate, up, n, dtype),
          )
          const written = inPlace ? { out: dtype } : {}
          await compare(
            `swigluBackward ${n}, in place ${inPlace}`,
            backend,
            {
              dgate: { dtype, values: numbers(n, 1), out: dtype },
              dup: { dtype, values: numbers(n, 2), out: dtype },
              dy: { dtype, values: numbers(n, 3) },
              gate: { dtype, values: wide(n, 4), ...written },
              up: { dtype, values: numbers(n, 5), ...written },
            },
            (kernels, { dgate, dup, dy, gate, up }) =>
              kernels.swigluBackward(inPlace ? gate : dgate, inPlace ? up : dup, dy, gate, up, n, dtype),
          )
        }
      }
    },
  },
  {
    name: `fill ${dtype}`,
    run: async (backend) => {
      for (const n of lengths) {
        await compare(
          `fill ${n}`,
          backend,
          {
            y: { dtype, values: numbers(n + 3, 1), out: dtype, exact: true },
            ids: { dtype: 'i32', values: new Int32Array(n + 3).fill(9), out: 'f32', exact: true },
            bytes: { dtype: 'u8', values: new Uint8Array(n + 3).fill(9), out: 'f32', exact: true },
          },
          (kernels, { y, ids, bytes }) => {
            kernels.fill(y, -1.25, n, dtype)
            kernels.fill(ids, -7, n, 'i32')
            kernels.fill(bytes, 200, n, 'u8')
          },
        )
      }
    },
  },
  {
    name: `axpby and mul ${dtype}`,
    run: async (backend) => {
      for (const n of lengths) {
        for (const place of ['apart', 'x', 'z'] as const) {
          await compare(
            `axpby ${n}, y ${place}`,
            backend,
            {
              y: { dtype, values: numbers(n, 1), out: dtype },
              x: { dtype, values: numbers(n, 2) },
            },
            (kernels, { y, x }) =>
              kernels.axpby(y, 0.5, place === 'x' ? y : x, -2, place === 'z' ? y : x, n, dtype),
          )
          await compare(
            `mul ${n}, y ${place}`,
            backend,
            {
              y: { dtype, values: numbers(n, 1), out: dtype },
              x: { dtype, values: numbers(n, 2) },
            },
            (kernels, { y, x }) => kernels.mul(y, place === 'x' ? y : x, place === 'z' ? y : x, n, dtype),
          )
        }
      }
    },
  },
  {
    name: `scaleColumns and rowNorms ${dtype}`,
    run: async (backend) => {
      for (const [rows, cols] of [
        [1, 1],
        [1, 65],
        [63, 64],
        [130, 5],
        [300, 1],
      ] as const) {
        const n = rows * cols
        for (const inPlace of [false, true]) {
          await compare(
            `scaleColumns ${rows}×${cols}, in place ${inPlace}`,
            backend,
            {
              y: { dtype, values: numbers(n, 1), out: dtype },
              x: { dtype, values: numbers(n, 2) },
              s: { dtype: 'f32', values: numbers(cols, 3) },
            },
            (kernels, { y, x, s }) => kernels.scaleColumns(y, inPlace ? y : x, s, rows, cols, dtype),
          )
        }
        await compare(
          `scaleColumnsBackward ${rows}×${cols}`,
          backend,
          {
            ds: { dtype: 'f32', values: numbers(cols, 1), out: 'f32' },
            dy: { dtype, values: numbers(n, 2) },
            x: { dtype, values: numbers(n, 3) },
          },
          (kernels, { ds, dy, x }) => kernels.scaleColumnsBackward(ds, dy, x, rows, cols, dtype),
        )
        await compare(
          `rowNorms ${rows}×${cols}`,
          backend,
          { y: { dtype: 'f32', values: numbers(rows, 1), out: 'f32' }, x: { dtype, values: numbers(n, 2) } },
          (kernels, { y, x }) => kernels.rowNorms(y, x, rows, cols, dtype),
        )
      }
    },
  },
  {
    name: `cast from ${dtype}`,
    run: async (backend) => {
      for (const to of others[dtype]) {
        for (const n of lengths) {
          const values = numbers(n, 2).map((v, i) => v * [1, 300, 1e-6, 65000][i % 4]!)
          await compare(
            `cast ${n} to ${to}`,
            backend,
            { y: { dtype: to, values: numbers(n, 1), out: to, exact: true }, x: { dtype, values } },
            (kernels, { y, x }) => kernels.cast(y, x, n, to, dtype),
          )
        }
      }
    },
  },
  {
    name: `dropout and random ${dtype}`,
    run: async (backend) => {
      for (const n of lengths) {
        for (const [seed, stream] of [
          [0, 0],
          [2 ** 53 - 1, 2 ** 32 - 1],
          [123456789012345, 7],
        ] as const) {
          for (const inPlace of [false, true]) {
            await compare(
              `dropout ${n}, seed ${seed}, in place ${inPlace}`,
              backend,
              { y: { dtype, values: numbers(n, 1), out: dtype }, x: { dtype, values: numbers(n, 2) } },
              (kernels, { y, x }) => kernels.dropout(y, inPlace ? y : x, n, 0.3, seed, stream, dtype),
            )
          }
          for (const kind of ['uniform', 'normal'] as const) {
            await compare(
              `random ${kind} ${n}, seed ${seed}`,
              backend,
              { y: { dtype, values: numbers(n, 1), out: dtype } },
              (kernels, { y }) => kernels.random(y, n, kind, seed, stream, dtype),
            )
          }
        }
      }
    },
  },
  {
    name: `copy2d ${dtype}`,
    run: async (backend) => {
      for (const [yOffset, yStride, xOffset, xStride, rows, cols] of [
        [0, 1, 0, 1, 1, 1],
        [3, 65, 7, 80, 9, 63],
        [0, 64, 0, 64, 5, 64],
        [1, 10, 2, 0, 4, 5],
      ] as const) {
        for (const beta of [0, 1] as const) {
          await compare(
            `copy2d ${rows}×${cols}, beta ${beta}`,
            backend,
            {
              y: {
                dtype,
                values: numbers(yOffset + rows * yStride + cols, 1),
                out: dtype,
                exact: beta === 0,
              },
              x: { dtype, values: numbers(xOffset + rows * xStride + cols, 2) },
            },
            (kernels, { y, x }) =>
              kernels.copy2d(y, yOffset, yStride, x, xOffset, xStride, rows, cols, dtype, beta),
          )
        }
      }
    },
  },
]
