import type { Attention, Backend, FloatDType } from '@ift/tensor'
import { openDevice, type DeviceName } from './device.js'
import { measured, Timing, tried, type TimingSizes } from './timing.js'

/** Sizes of a LLaMA-7B, or of something that an emulator can do. */
interface Sizes {
  tokens: readonly number[]
  hidden: number
  inner: number
  vocab: number
  headDim: number
  /** Sequences and their length. */
  sequences: readonly (readonly [number, number])[]
  /** Numbers in the adapters. */
  trained: number
  timing: TimingSizes
}

const full: Sizes = {
  tokens: [2048, 4096],
  hidden: 4096,
  inner: 11008,
  vocab: 32000,
  headDim: 128,
  sequences: [
    [4, 512],
    [2, 2048],
    [1, 4096],
  ],
  // Of rank 16 on every linear layer.
  trained: 39_976_960,
  timing: measured,
}
const small: Sizes = {
  tokens: [64],
  hidden: 128,
  inner: 256,
  vocab: 512,
  headDim: 64,
  sequences: [[2, 48]],
  trained: 4096,
  timing: tried,
}

async function products(timing: Timing, backend: Backend, sizes: Sizes): Promise<void> {
  const { hidden, inner, vocab } = sizes
  for (const m of sizes.tokens) {
    for (const [n, k] of [
      [hidden, hidden],
      [3 * hidden, hidden],
      [2 * inner, hidden],
      [hidden, inner],
      [vocab, hidden],
    ] as const) {
      for (const transB of [true, false]) {
        const shape = `${m}x${n}x${k} ${transB ? 'forward' : 'backward'}`
        const p = { m, n, k, transA: false, transB, alpha: 1, beta: 0 } as const
        await timing.time('gemm', shape, { flop: 2 * m * n * k }, () => {
          const [y, a, b] = [timing.buffer(m * n), timing.buffer(m * k), timing.buffer(n * k)]
          return () => backend.gemm(y, a, b, null, { ...p, dtype: 'bf16', outDtype: 'bf16' })
        })
      }
    }
  }
}

async function rowKernels(timing: Timing, backend: Backend, sizes: Sizes): Promise<void> {
  const { hidden, inner, vocab, headDim } = sizes
  const dtype: FloatDType = 'bf16'
  for (const m of sizes.tokens) {
    const shape = `${m}x${hidden}`
    const matrix = () => timing.buffer(m * hidden)
    await timing.time('rmsNorm', shape, { bytes: 4 * m * hidden }, () => {
      const [y, x, w, rstd] = [matrix(), matrix(), timing.buffer(hidden), timing.buffer(m, 'f32')]
      return () => backend.rmsNorm(y, rstd, x, w, m, hidden, 1e-5, dtype)
    })
    await timing.time('rmsNormBackward', shape, { bytes: 6 * m * hidden }, () => {
      const [dx, dy, x] = [matrix(), matrix(), matrix()]
      const [w, rstd] = [timing.buffer(hidden), timing.buffer(m, 'f32')]
      return () => backend.rmsNormBackward(dx, null, dy, x, w, rstd, m, hidden, dtype, 0)
    })
    await timing.time('rope', shape, { bytes: 4 * m * hidden }, () => {
      const [y, x] = [matrix(), matrix()]
      const positions = timing.integers(Array.from({ length: m }, (_, i) => i))
      const frequencies = timing.buffer(headDim / 2, 'f32')
      const p = { rows: m, heads: hidden / headDim, headDim, dimOffset: 0, dims: headDim } as const
      const way = { interleaved: false, inverse: false, scale: 1, dtype } as const
      return () => backend.rope(y, x, positions, frequencies, { ...p, ...way })
    })
    const n = m * inner
    const wide = () => timing.buffer(n)
    await timing.time('swiglu', `${m}x${inner}`, { bytes: 6 * n }, () => {
      const [out, gate, up] = [wide(), wide(), wide()]
      return () => backend.swiglu(out, gate, up, n, dtype)
    })
    await timing.time('swigluBackward', `${m}x${inner}`, { bytes: 10 * n }, () => {
      const [dgate, dup, dy, gate, up] = [wide(), wide(), wide(), wide(), wide()]
      return () => backend.swigluBackward(dgate, dup, dy, gate, up, n, dtype)
    })
    const chunk = Math.min(m, 1024)
    await timing.time('crossEntropy', `${chunk}x${vocab}`, { bytes: 4 * chunk * vocab }, () => {
      const [logits, loss] = [timing.buffer(chunk * vocab), timing.buffer(chunk, 'f32')]
      const labels = timing.integers(Array.from({ length: chunk }, (_, i) => i % vocab))
      const p = { rows: chunk, vocab, gradScale: 1e-3, dtype, gradDtype: dtype } as const
      return () => backend.crossEntropy(loss, logits, logits, labels, p)
    })
  }
  for (const [rows, k] of [
    [1, 1],
    [16, 1],
    [16, 80],
    [16, 256],
  ] as const) {
    await timing.time('topRows', `${k} of ${rows}x${vocab}`, { bytes: 2 * rows * vocab }, () => {
      const logits = timing.buffer(rows * vocab)
      const [values, logSum] = [timing.buffer(rows * k, 'f32'), timing.buffer(rows, 'f32')]
      const indices = timing.buffer(rows * k, 'i32')
      return () => backend.topRows(values, indices, logSum, logits, { rows, cols: vocab, k, scale: 1, dtype })
    })
  }
  const n = sizes.hidden * sizes.inner
  await timing.time('copy', `${n}`, { bytes: 4 * n }, () => {
    const [a, b] = [timing.buffer(n), timing.buffer(n)]
    return () => backend.copy2d(a, 0, n, b, 0, n, 1, n, dtype, 0)
  })
}

async function attention(timing: Timing, backend: Backend, sizes: Sizes): Promise<void> {
  const { headDim, hidden } = sizes
  const heads = hidden / headDim
  for (const [count, length] of sizes.sequences) {
    for (const kvHeads of [heads, Math.max(1, heads / 4)]) {
      const m = count * length
      const shape = `${count}x${length} heads ${heads}/${kvHeads} of ${headDim}`
      const queries = () => timing.buffer(m * hidden)
      const keys = () => timing.buffer(m * kvHeads * headDim)
      const operands = () => {
        const cu = timing.integers(Array.from({ length: count + 1 }, (_, i) => i * length))
        const p: Attention = {
          segments: count,
          cuQ: cu,
          cuK: cu,
          maxQ: length,
          maxK: length,
          rowsQ: m,
          rowsK: m,
          heads,
          kvHeads,
          headDim,
          scale: headDim ** -0.5,
          dtype: 'bf16',
          causal: true,
        }
        const lse = timing.buffer(m * heads, 'f32')
        return { p, lse, q: queries(), k: keys(), v: keys(), out: queries() }
      }
      // Two products over the lower triangle.
      const flop = 2 * count * heads * length * (length + 1) * headDim
      await timing.time('attention', shape, { flop }, () => {
        const { p, lse, q, k, v, out } = operands()
        return () => backend.attention(out, lse, q, k, v, p)
      })
      // By convention 2.5 times the forward, recomputation not counted.
      await timing.time('attentionBackward', shape, { flop: 2.5 * flop }, () => {
        const { p, lse, q, k, v, out } = operands()
        const [dq, dk, dv, dout] = [queries(), keys(), keys(), queries()]
        backend.attention(out, lse, q, k, v, p)
        return () => backend.attentionBackward(dq, dk, dv, dout, out, lse, q, k, v, p)
      })
    }
  }
  const pageSize = 64
  for (const segments of [1, 16]) {
    const length = sizes.sequences.at(-1)![1]
    const maxPages = Math.ceil(length / pageSize)
    const pages = maxPages * segments
    const shape = `decode ${segments} of ${length}`
    await timing.time('attentionPaged', shape, { bytes: 4 * segments * length * hidden }, () => {
      const [q, out] = [timing.buffer(segments * hidden), timing.buffer(segments * hidden)]
      const pool = pages * pageSize * hidden
      const [k, v] = [timing.buffer(pool), timing.buffer(pool)]
      const p = {
        segments,
        cuQ: timing.integers(Array.from({ length: segments + 1 }, (_, i) => i)),
        maxQ: 1,
        rowsQ: segments,
        kvLengths: timing.integers(Array.from({ length: segments }, () => length)),
        maxK: length,
        pageTable: timing.integers(Array.from({ length: pages }, (_, i) => i)),
        maxPages,
        pageSize,
        pages,
        heads,
        kvHeads: heads,
        headDim,
        scale: headDim ** -0.5,
        dtype: 'bf16',
        causal: true,
      } as const
      return () => backend.attentionPaged(out, q, k, v, p)
    })
  }
}

async function optimizer(timing: Timing, backend: Backend, n: number): Promise<void> {
  await timing.time('adamw', `${n}`, { bytes: 28 * n }, () => {
    const floats = () => timing.buffer(n, 'f32')
    const [param, grad, m, v] = [floats(), floats(), floats(), floats()]
    // A second moment is no normal number: it is not below zero.
    backend.fill(v, 1, n, 'f32')
    const p = { n, lr: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, step: 1 } as const
    return () => backend.adamw(param, null, grad, m, v, null, { ...p, dtype: 'f32' })
  })
}

/**
 * Times of the kernels a training step is made of, at the sizes of LLaMA-7B or, `small`, of a dry run: a line of JSON each,
 * then how many there were.
 */
export async function kernels(device: DeviceName, isSmall: boolean): Promise<object> {
  const sizes = isSmall ? small : full
  const backend = openDevice(device)
  try {
    let rows = 0
    let failed = 0
    const timing = new Timing(backend, sizes.timing, (row) => {
      rows++
      if ('error' in row) failed++
      process.stdout.write(`${JSON.stringify(row)}\n`)
    })
    await attention(timing, backend, sizes)
    await products(timing, backend, sizes)
    await rowKernels(timing, backend, sizes)
    await optimizer(timing, backend, sizes.trained)
    return { device: backend.device.description, rows, failed }
  } finally {
    backend.close()
  }
}
