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
