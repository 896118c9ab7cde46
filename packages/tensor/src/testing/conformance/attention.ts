import type { Backend } from '../../backend.js'
import type { FloatDType } from '../../dtype.js'
import { compare, numbers } from '../compare.js'
import type { KernelCase } from '../conformance.js'

interface Shape {
  readonly name: string
  readonly q: readonly number[]
  readonly k: readonly number[]
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly causal: boolean
  readonly prefix?: readonly number[]
  readonly alibi?: boolean
}

const masks: readonly Shape[] = [
  { name: 'one row', q: [1], k: [1], heads: 1, kvHeads: 1, headDim: 64, causal: true },
  { name: 'causal', q: [65, 1, 63], k: [65, 1, 63], heads: 2, kvHeads: 2, headDim: 64, causal: true },
  { name: 'grouped', q: [17, 70], k: [17, 70], heads: 6, kvHeads: 2, headDim: 64, causal: true },
  { name: 'bidirectional', q: [33, 5], k: [33, 5], heads: 2, kvHeads: 1, headDim: 64, causal: false },
  {
    name: 'more keys than queries',
    q: [3, 20],
    k: [70, 21],
    heads: 2,
    kvHeads: 1,
    headDim: 64,
    causal: true,
  },
  {
    name: 'empty sequences',
    q: [0, 9, 0, 3],
    k: [0, 9, 0, 3],
    heads: 2,
    kvHeads: 2,
    headDim: 32,
    causal: true,
  },
  {
    name: 'visible prefix',
    q: [40, 7],
    k: [40, 7],
    heads: 2,
    kvHeads: 1,
    headDim: 64,
    causal: true,
    prefix: [25, 0],
  },
  { name: 'ALiBi', q: [40, 7], k: [40, 9], heads: 4, kvHeads: 4, headDim: 64, causal: true, alibi: true },
]

const headDims = [8, 16, 32, 80, 96, 128, 192, 256].map((headDim): Shape => ({
  name: `head dimension ${headDim}`,
  q: [19, 6],
  k: [19, 6],
  heads: 2,
  kvHeads: 1,
  headDim,
  causal: true,
}))

const cumulative = (lengths: readonly number[]): number[] => {
  const cu = [0]
  for (const length of lengths) cu.push(cu[cu.length - 1]! + length)
  return cu
}

export const attentionCases = (dtype: FloatDType): KernelCase[] => [
  ...[...masks, ...headDims].flatMap((shape): KernelCase[] => [
    { name: `attention ${dtype}, ${shape.name}`, run: (backend) => packed(backend, shape, dtype) },
    { name: `attentionPaged ${dtype}, ${shape.name}`, run: (backend) => paged(backend, shape, dtype) },
  ]),
  ropeCase(dtype),
]

async function packed(backend: Backend, shape: Shape, dtype: FloatDType): Promise<void> {
  const { heads, kvHeads, headDim, causal } = shape
  const cuQ = cumulative(shape.q)
  const cuK = cumulative(shape.k)
  const rowsQ = cuQ[cuQ.length - 1]!
  const rowsK = cuK[cuK.length - 1]!
  const nq = rowsQ * heads * headDim
  const nk = rowsK * kvHeads * headDim
  // The backward reads the output and log-sum-exp of a forward: each backend gets its own.
  await compare(
    shape.name,
    backend,
    {
      out: { dtype, values: numbers(nq, 1), out: dtype },
      lse: { dtype: 'f32', values: numbers(rowsQ * heads, 2), out: dtype === 'f32' ? 'f32' : dtype },
      dq: { dtype, values: numbers(nq, 3), out: dtype },
      dk: { dtype, values: numbers(nk, 4), out: dtype },
      dv: { dtype, values: numbers(nk, 5), out: dtype },
      dout: { dtype, values: numbers(nq, 6) },
      q: { dtype, values: numbers(nq, 7) },
      k: { dtype, values: numbers(nk, 8) },
      v: { dtype, values: numbers(nk, 9) },
      cuQ: { dtype: 'i32', values: cuQ },
      cuK: { dtype: 'i32', values: cuK },
      prefix: { dtype: 'i32', values: shape.prefix ?? [0] },
      slopes: { dtype: 'f32', values: Float64Array.from({ length: heads }, (_, h) => 2 ** -(h + 1)) },
    },
    (kernels, b) => {
      const p = {
        segments: shape.q.length,
        cuQ: b.cuQ,
        cuK: b.cuK,
        maxQ: Math.max(...shape.q),
        maxK: Math.max(...shape.k),
        rowsQ,
        rowsK,
        heads,
        kvHeads,
        headDim,
        scale: 1 / Math.sqrt(headDim),
        dtype,
        causal,
        visiblePrefix: shape.prefix === undefined ? undefined : b.prefix,
        alibiSlopes: shape.alibi === true ? b.slopes : undefined,
      }
      kernels.attention(b.out, b.lse, b.q, b.k, b.v, p)
      kernels.attentionBackward(b.dq, b.dk, b.dv, b.dout, b.out, b.lse, b.q, b.k, b.v, p)
    },
  )
}

async function paged(backend: Backend, shape: Shape, dtype: FloatDType): Promise<void> {
  const { heads, kvHeads, headDim, causal } = shape
  for (const pageSize of [16, 7]) {
    const cuQ = cumulative(shape.q)
    const rowsQ = cuQ[cuQ.length - 1]!
    const maxPages = Math.max(...shape.k.map((n) => Math.ceil(n / pageSize)))
    const pages = shape.k.reduce((sum, n) => sum + Math.ceil(n / pageSize), 0) + 2
    const table = new Int32Array(shape.k.length * maxPages)
    let next = pages - 1
    for (const [s, n] of shape.k.entries()) {
      // Pages of a sequence lie anywhere, here in descending order.
      for (let p = 0; p < Math.ceil(n / pageSize); p++) table[s * maxPages + p] = next--
    }
    const pool = pages * pageSize * kvHeads * headDim
    await compare(
      `${shape.name}, pages of ${pageSize}`,
      backend,
      {
        out: { dtype, values: numbers(rowsQ * heads * headDim, 1), out: dtype },
        q: { dtype, values: numbers(rowsQ * heads * headDim, 2) },
        k: { dtype, values: numbers(pool, 3) },
        v: { dtype, values: numbers(pool, 4) },
        cuQ: { dtype: 'i32', values: cuQ },
        lengths: { dtype: 'i32', values: shape.k },
        table: { dtype: 'i32', values: table },
        prefix: { dtype: 'i32', values: shape.prefix ?? [0] },
        slopes: { dtype: 'f32', values: Float64Array.from({ length: heads }, (_, h) => 2 ** -(h + 1)) },
      },
      (kernels, b) =>
        kernels.attentionPaged(b.out, b.q, b.k, b.v, {
          segments: shape.q.length,
          cuQ: b.cuQ,
          maxQ: Math.max(...shape.q),
          rowsQ,
          kvLengths: b.lengths,
          maxK: Math.max(...shape.k),
          pageTable: b.table,
          maxPages,
          pageSize,
          pages,
          heads,
          kvHeads,
          headDim,
          scale: 1 / Math.sqrt(headDim),
          dtype,
          causal,
          visiblePrefix: shape.prefix === undefined ? undefined : b.prefix,
          alibiSlopes: shape.alibi === true ? b.slopes : undefined,
        }),
    )
  }
}

const ropeCase = (dtype: FloatDType): KernelCase => ({
  name: `rope ${dtype}`,
  run: async (backend) => {
    for (const [rows, heads, headDim, dimOffset, dims] of [
      [1, 1, 64, 0, 64],
      [5, 3, 64, 0, 64],
      [5, 2, 80, 16, 32],
      [65, 2, 96, 48, 48],
      [3, 1, 8, 0, 2],
    ] as const) {
      for (const interleaved of [false, true]) {
        for (const inverse of [false, true]) {
          for (const inPlace of [false, true]) {
            await compare(
              `rope ${rows}×${heads}×${headDim}, ${dims} from ${dimOffset}, in place ${inPlace}`,
              backend,
              {
                y: { dtype, values: numbers(rows * heads * headDim, 1), out: dtype },
                x: { dtype, values: numbers(rows * heads * headDim, 2) },
                positions: { dtype: 'i32', values: numbers(rows, 3).map((v) => Math.floor((v + 1) * 200)) },
                freq: {
                  dtype: 'f32',
                  values: Float64Array.from({ length: dims / 2 }, (_, i) => 1e4 ** ((-2 * i) / dims)),
                },
              },
              (kernels, { y, x, positions, freq }) =>
                kernels.rope(y, inPlace ? y : x, positions, freq, {
                  rows,
                  heads,
                  headDim,
                  dimOffset,
                  dims,
                  interleaved,
                  inverse,
                  scale: 1.25,
                  dtype,
                }),
            )
          }
        }
      }
    }
  },
})
