import type { Buf, Kernels, QuantizedMatrix } from '../../backend.js'
import type { FloatDType } from '../../dtype.js'
import { IftError } from '../../errors.js'
import { quantFormats, quantizedSizes, type QuantFormat } from '../../quantization.js'
import { referenceBackend } from '../../reference/backend.js'
import { compare, decode, encode, numbers, type Operand } from '../compare.js'
import type { KernelCase } from '../conformance.js'

/** Whole blocks, blocks across rows, an odd number of elements, more than one group, less than one block. */
const shapes = [
  [1, 1],
  [3, 7],
  [5, 65],
  [33, 64],
  [2, 4100],
  [70, 256],
  [130, 192],
] as const

/** Values of every size, with a block of zeros, a tie and both ends of the scale. */
function weights(rows: number, cols: number): Float64Array {
  const values = numbers(rows * cols, 7)
  for (let i = 0; i < values.length; i++) {
    const block = Math.floor(i / 64)
    values[i]! *= block % 9 === 4 ? 0 : 10 ** ((block % 5) - 3)
  }
  values[0] = 1
  return values
}

type Part = 'codes' | 'scales' | 'groups'

function matrix(
  format: QuantFormat,
  rows: number,
  cols: number,
  b: Readonly<Record<Part, Buf>>,
): QuantizedMatrix {
  const { codes, scales, groups } = b
  return { format, rows, cols, codes, scales, groups: format === 'nf4' ? groups : null }
}

/** The parts of a quantised matrix as the reference makes them, as inputs, or as outputs to be written. */
async function parts(
  format: QuantFormat,
  rows: number,
  cols: number,
  written: boolean,
): Promise<Record<Part, Operand>> {
  const sizes = quantizedSizes(format, rows, cols)
  const of = { codes: 'u8', scales: format === 'nf4' ? 'u8' : 'f32', groups: 'f32' } as const
  const count = { ...sizes, groups: Math.max(1, sizes.groups) }
  const names: readonly Part[] = ['codes', 'scales', 'groups']
  const found = {} as Record<Part, Operand>
  if (written) {
    for (const name of names) {
      const output = name !== 'groups' || format === 'nf4'
      const values = new Float64Array(count[name]).fill(3)
      found[name] = { dtype: of[name], values, ...(output && { out: 'f32', exact: true }) }
    }
    return found
  }
  const reference = referenceBackend()
  const values = weights(rows, cols)
  const x = reference.alloc(values.length * 4)
  reference.write(x, encode(values, 'f32'))
  const buffers = {} as Record<Part, Buf>
  for (const name of names) buffers[name] = reference.alloc(count[name] * (of[name] === 'u8' ? 1 : 4))
  reference.quantize(matrix(format, rows, cols, buffers), x, 'f32')
  for (const name of names) {
    const bytes = new Uint8Array(count[name] * (of[name] === 'u8' ? 1 : 4))
    await reference.read(buffers[name], bytes)
    found[name] = {
      dtype: of[name],
      values: name === 'groups' && format === 'int8' ? [0] : decode(bytes, of[name]),
    }
  }
  reference.close()
  return found
}

const refuses = (label: string, call: () => void): void => {
  try {
    call()
  } catch (error) {
    if (error instanceof IftError) return
    throw error
  }
  throw new IftError('IFT_CONFORMANCE', `${label} was accepted`)
}

export function quantizedCases(dtype: FloatDType): KernelCase[] {
  return quantFormats.flatMap((format) => [
    {
      name: `quantize ${format} ${dtype}`,
      run: async (backend) => {
        for (const [rows, cols] of shapes) {
          await compare(
            `quantize ${format} ${rows}×${cols}`,
            backend,
            { ...(await parts(format, rows, cols, true)), x: { dtype, values: weights(rows, cols) } },
            (kernels, { x, ...b }) => {
              kernels.quantize(matrix(format, rows, cols, b), x, dtype)
            },
          )
        }
      },
    },
    {
      name: `dequantize ${format} ${dtype}`,
      run: async (backend) => {
        for (const [rows, cols] of shapes) {
          await compare(
            `dequantize ${format} ${rows}×${cols}`,
            backend,
            {
              ...(await parts(format, rows, cols, false)),
              y: { dtype, values: numbers(rows * cols, 1), out: dtype, exact: true },
            },
            (kernels, { y, ...b }) => {
              kernels.dequantize(y, matrix(format, rows, cols, b), dtype)
            },
          )
        }
      },
    },
    {
      name: `quantizedProduct ${format} ${dtype}`,
      run: async (backend) => {
        for (const [rows, cols] of shapes) {
          const w = await parts(format, rows, cols, false)
          for (const m of new Set([1, 2, 5, 16, backend.quantizedRows ?? 16])) {
            for (const beta of [0, 1] as const) {
              for (const outDtype of new Set([dtype, 'f32'] as const)) {
                const withBias = beta === 1
                await compare(
                  `quantizedProduct ${format} ${m}×${rows}×${cols}, beta ${beta}, out ${outDtype}`,
                  backend,
                  {
                    ...w,
                    // In the tolerance of dtype: levels may be rounded to it.
                    y: { dtype: outDtype, values: numbers(m * rows, 1), out: dtype },
                    x: { dtype, values: numbers(m * cols, 2) },
                    bias: { dtype, values: numbers(rows, 3) },
                  },
                  (kernels, { y, x, bias, ...b }) => {
                    kernels.quantizedProduct(y, x, matrix(format, rows, cols, b), withBias ? bias : null, {
                      m,
                      beta,
                      dtype,
                      outDtype,
                    })
                  },
                )
              }
            }
          }
        }
      },
    },
    {
      name: `quantised matrices of ${format} in ${dtype} that do not fit are refused`,
      run: (backend) => {
        const [rows, cols] = [4, 64] as const
        const sizes = quantizedSizes(format, rows, cols)
        const buffer = (bytes: number) => backend.alloc(bytes)
        const scaleBytes = format === 'nf4' ? sizes.scales : sizes.scales * 4
        const good = matrix(format, rows, cols, {
          codes: buffer(sizes.codes),
          scales: buffer(scaleBytes),
          groups: buffer(Math.max(4, sizes.groups * 4)),
        })
        const x = buffer(rows * cols * 4)
        const short = buffer(1)
        const other = good.groups === null ? x : null
        const bad: QuantizedMatrix[] = [
          { ...good, codes: short },
          { ...good, scales: short },
          { ...good, groups: other },
          { ...good, rows: rows * 2 },
        ]
        const p = { m: 1, beta: 0, dtype, outDtype: dtype } as const
        const kernels: Kernels = backend
        for (const [i, w] of bad.entries()) {
          refuses(`quantize, matrix ${i}`, () => kernels.quantize(w, x, dtype))
          refuses(`dequantize, matrix ${i}`, () => kernels.dequantize(x, w, dtype))
          refuses(`quantizedProduct, matrix ${i}`, () => kernels.quantizedProduct(x, x, w, null, p))
        }
        for (const m of [0, (backend.quantizedRows ?? 16) + 1]) {
          refuses(`quantizedProduct of ${m} rows`, () =>
            kernels.quantizedProduct(x, buffer(16_384), good, null, { ...p, m }),
          )
        }
        return Promise.resolve()
      },
    },
  ])
}

/** Rows of x, and a matrix of codes. */
const products = [
  [1, 3, 7],
  [5, 33, 64],
  [37, 70, 130],
  [40, 130, 192],
] as const

/** Products over an int8 matrix itself, where the device has them (`Backend.int8Products`). */
export function int8Cases(dtype: FloatDType): KernelCase[] {
  const [r, scale] = [3, 0.5]
  return [
    {
      name: `products over int8 in ${dtype}`,
      run: async (backend) => {
        if (backend.int8Products !== true) return
        for (const [m, rows, cols] of products) {
          const w = await parts('int8', rows, cols, false)
          for (const transB of [true, false]) {
            const [n, k] = transB ? [rows, cols] : [cols, rows]
            for (const beta of [0, 1] as const) {
              for (const outDtype of new Set([dtype, 'f32'] as const)) {
                await compare(
                  `gemm ${m}×${n}×${k} over int8, transB ${transB}, beta ${beta}, out ${outDtype}`,
                  backend,
                  {
                    ...w,
                    y: { dtype: outDtype, values: numbers(m * n, 1), out: outDtype },
                    x: { dtype, values: numbers(m * k, 2) },
                    bias: { dtype, values: numbers(n, 3) },
                  },
                  (kernels, { y, x, bias, ...b }) => {
                    const p = { m, n, k, transA: false, transB, alpha: 0.75, beta, dtype, outDtype }
                    kernels.gemm(y, x, matrix('int8', rows, cols, b), beta === 1 ? bias : null, p)
                  },
                )
              }
            }
          }
        }
      },
    },
    {
      name: `lowRank over int8 in ${dtype}`,
      run: async (backend) => {
        if (backend.int8Products !== true) return
        for (const [n, m, k] of products) {
          const w = await parts('int8', m, k, false)
          const shared = {
            ...w,
            a: { dtype, values: numbers(r * k, 4) },
            b: { dtype, values: numbers(m * r, 5) },
          }
          await compare(
            `lowRank ${n}×${m}×${k} over int8`,
            backend,
            {
              ...shared,
              y: { dtype, values: numbers(n * m, 1), out: dtype },
              low: { dtype, values: numbers(n * r, 6), out: dtype },
              x: { dtype, values: numbers(n * k, 2) },
              bias: { dtype, values: numbers(m, 3) },
            },
            (kernels, { y, low, x, a, b, bias, ...of }) => {
              const p = { n, k, m, r, scale, dtype, beta: 1, outDtype: dtype } as const
              kernels.lowRank(y, low, x, x, matrix('int8', m, k, of), a, b, bias, p)
            },
          )
          for (const joined of [true, false]) {
            await compare(
              `lowRankBackward ${n}×${m}×${k} over int8${joined ? ', joined' : ''}`,
              backend,
              {
                ...shared,
                dx: { dtype, values: numbers(n * k, 1), out: dtype },
                dy: { dtype, values: numbers(n * m, 2) },
                low: { dtype, values: numbers(n * r, 3) },
              },
              (kernels, { dx, dy, low, a, b, ...of }) => {
                const wanted = { x: { buf: dx, beta: 1, dtype }, z: null, a: null, b: null, joined } as const
                const p = { n, k, m, r, scale, dtype }
                kernels.lowRankBackward(wanted, dy, null, low, matrix('int8', m, k, of), a, b, p)
              },
            )
          }
        }
      },
    },
    {
      name: `int8 products in ${dtype} that do not fit are refused`,
      run: (backend) => {
        const [rows, cols] = [4, 64] as const
        const [codes, scales, x, y] = [256, 16, 1024, 1024].map((bytes) => backend.alloc(bytes))
        const w: QuantizedMatrix = {
          format: 'int8',
          rows,
          cols,
          codes: codes!,
          scales: scales!,
          groups: null,
        }
        const p = { m: 2, n: rows, k: cols, alpha: 1, beta: 0, dtype, outDtype: dtype } as const
        const plain = { ...p, transA: false, transB: true }
        refuses('a product over nf4 itself', () => backend.gemm(y!, x!, { ...w, format: 'nf4' }, null, plain))
        refuses('an int8 matrix and transA', () => backend.gemm(y!, x!, w, null, { ...plain, transA: true }))
        refuses('an int8 matrix of other rows', () => backend.gemm(y!, x!, w, null, { ...plain, n: 5 }))
        refuses('short scales', () => backend.gemm(y!, x!, { ...w, scales: backend.alloc(4) }, null, plain))
        return Promise.resolve()
      },
    },
  ]
}
