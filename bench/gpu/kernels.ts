import { performance } from 'node:perf_hooks'

import { itemSize, type Attention, type Backend, type Buf, type DType, type FloatDType } from '@ift/tensor'
import { openDevice, type DeviceName } from './device.js'

/** One kernel at one size: its time, and its rate by what bounds it. */
interface Measured {
  kernel: string
  shape: string
  ms: number
  gbPerS?: number
  tflopPerS?: number
}

/** Sizes of a LLaMA-7B, or of something that an emulator can do. */
interface Sizes {
  tokens: readonly number[]
  hidden: number
  inner: number
  vocab: number
  headDim: number
  /** Sequences and their length. */
  sequences: readonly (readonly [number, number])[]
  repeats: number
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
  repeats: 20,
}
const small: Sizes = {
  tokens: [64],
  hidden: 128,
  inner: 256,
  vocab: 512,
  headDim: 64,
  sequences: [[2, 48]],
  repeats: 2,
}

class Bench {
  readonly results: Measured[] = []
  readonly #backend: Backend
  readonly #repeats: number
  readonly #buffers: Buf[] = []

  constructor(backend: Backend, repeats: number) {
    this.#backend = backend
    this.#repeats = repeats
  }

  /** A buffer of small normal numbers, or of zeros for integers. */
  buffer(count: number, dtype: DType = 'bf16'): Buf {
    const buf = this.#backend.alloc(count * itemSize(dtype))
    this.#buffers.push(buf)
    if (dtype === 'f32' || dtype === 'bf16' || dtype === 'f16')
      this.#backend.random(buf, count, 'normal', 1, this.#buffers.length, dtype)
    else this.#backend.fill(buf, 0, count, dtype)
    return buf
  }

  integers(values: readonly number[]): Buf {
    const buf = this.#backend.alloc(values.length * 4)
    this.#buffers.push(buf)
    this.#backend.write(buf, Int32Array.from(values))
    return buf
  }

  release(): void {
    for (const buf of this.#buffers.splice(0)) this.#backend.free(buf)
  }

  /** Times a call: the best of three rounds of queued repeats, after one that is not counted. */
  async time(
    kernel: string,
    shape: string,
    bound: { bytes?: number; flop?: number },
    call: () => void,
  ): Promise<void> {
    call()
    await this.#backend.synchronize()
    let ms = Infinity
    for (let round = 0; round < 3; round++) {
      const begin = performance.now()
      for (let i = 0; i < this.#repeats; i++) call()
      await this.#backend.synchronize()
      ms = Math.min(ms, (performance.now() - begin) / this.#repeats)
    }
    const round = (value: number) => Number(value.toPrecision(4))
    this.results.push({
      kernel,
      shape,
      ms: round(ms),
      ...(bound.bytes === undefined ? {} : { gbPerS: round(bound.bytes / ms / 1e6) }),
      ...(bound.flop === undefined ? {} : { tflopPerS: round(bound.flop / ms / 1e9) }),
    })
  }
}

async function products(bench: Bench, backend: Backend, sizes: Sizes): Promise<void> {
  const { hidden, inner, vocab } = sizes
  for (const m of sizes.tokens) {
    for (const [n, k] of [
      [hidden, hidden],
      [3 * hidden, hidden],
      [2 * inner, hidden],
      [hidden, inner],
      [vocab, hidden],
    ] as const) {
      const [y, a, b] = [bench.buffer(m * n), bench.buffer(m * k), bench.buffer(n * k)]
      for (const transB of [true, false]) {
        await bench.time(
          'gemm',
          `${m}x${n}x${k} ${transB ? 'forward' : 'backward'}`,
          { flop: 2 * m * n * k },
          () => {
            const p = { m, n, k, transA: false, transB, alpha: 1, beta: 0 } as const
            backend.gemm(y, a, b, null, { ...p, dtype: 'bf16', outDtype: 'bf16' })
          },
        )
      }
      bench.release()
    }
  }
}

async function rows(bench: Bench, backend: Backend, sizes: Sizes): Promise<void> {
  const { hidden, inner, vocab, headDim } = sizes
  const dtype: FloatDType = 'bf16'
  for (const m of sizes.tokens) {
    const [x, y, w] = [bench.buffer(m * hidden), bench.buffer(m * hidden), bench.buffer(hidden)]
    const [dx, rstd] = [bench.buffer(m * hidden), bench.buffer(m, 'f32')]
    const shape = `${m}x${hidden}`
    await bench.time('rmsNorm', shape, { bytes: 4 * m * hidden }, () => {
      backend.rmsNorm(y, rstd, x, w, m, hidden, 1e-5, dtype)
    })
    await bench.time('rmsNormBackward', shape, { bytes: 6 * m * hidden }, () => {
      backend.rmsNormBackward(dx, null, y, x, w, rstd, m, hidden, dtype, 0)
    })
    const positions = bench.integers(Array.from({ length: m }, (_, i) => i))
    const frequencies = bench.buffer(headDim / 2, 'f32')
    await bench.time('rope', shape, { bytes: 4 * m * hidden }, () => {
      const p = { rows: m, heads: hidden / headDim, headDim, dimOffset: 0, dims: headDim } as const
      backend.rope(y, x, positions, frequencies, {
        ...p,
        interleaved: false,
        inverse: false,
        scale: 1,
        dtype,
      })
    })
    bench.release()
    const n = m * inner
    const [gate, up, out] = [bench.buffer(n), bench.buffer(n), bench.buffer(n)]
    await bench.time('swiglu', `${m}x${inner}`, { bytes: 6 * n }, () => {
      backend.swiglu(out, gate, up, n, dtype)
    })
    await bench.time('swigluBackward', `${m}x${inner}`, { bytes: 10 * n }, () => {
      backend.swigluBackward(gate, up, out, gate, up, n, dtype)
    })
    bench.release()
    const chunk = Math.min(m, 1024)
    const [logits, loss] = [bench.buffer(chunk * vocab), bench.buffer(chunk, 'f32')]
    const labels = bench.integers(Array.from({ length: chunk }, (_, i) => i % vocab))
    await bench.time('crossEntropy', `${chunk}x${vocab}`, { bytes: 4 * chunk * vocab }, () => {
      const p = { rows: chunk, vocab, gradScale: 1e-3, dtype, gradDtype: dtype } as const
      backend.crossEntropy(loss, logits, logits, labels, p)
    })
    bench.release()
  }
  for (const [rows, k] of [
    [1, 1],
    [16, 1],
    [16, 80],
    [16, 256],
  ] as const) {
    const logits = bench.buffer(rows * vocab)
    const [values, logSum] = [bench.buffer(rows * k, 'f32'), bench.buffer(rows, 'f32')]
    const indices = bench.integers(Array.from({ length: rows * k }, () => 0))
    await bench.time('topRows', `${k} of ${rows}x${vocab}`, { bytes: 2 * rows * vocab }, () => {
      backend.topRows(values, indices, logSum, logits, { rows, cols: vocab, k, scale: 1, dtype })
    })
    bench.release()
  }
  const n = sizes.hidden * sizes.inner
  const [a, b] = [bench.buffer(n), bench.buffer(n)]
  await bench.time('copy', `${n}`, { bytes: 4 * n }, () => {
    backend.copy2d(a, 0, n, b, 0, n, 1, n, dtype, 0)
  })
  bench.release()
}

async function attention(bench: Bench, backend: Backend, sizes: Sizes): Promise<void> {
  const { headDim, hidden } = sizes
  const heads = hidden / headDim
  for (const [count, length] of sizes.sequences) {
    for (const kvHeads of [heads, Math.max(1, heads / 4)]) {
      const m = count * length
      const [q, out] = [bench.buffer(m * hidden), bench.buffer(m * hidden)]
      const [k, v] = [bench.buffer(m * kvHeads * headDim), bench.buffer(m * kvHeads * headDim)]
      const lse = bench.buffer(m * heads, 'f32')
      const cu = bench.integers(Array.from({ length: count + 1 }, (_, i) => i * length))
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
      // Two products over the lower triangle.
      const flop = 2 * count * heads * length * (length + 1) * headDim
      const shape = `${count}x${length} heads ${heads}/${kvHeads} of ${headDim}`
      await bench.time('attention', shape, { flop }, () => {
        backend.attention(out, lse, q, k, v, p)
      })
      const [dq, dout] = [bench.buffer(m * hidden), bench.buffer(m * hidden)]
      const [dk, dv] = [bench.buffer(m * kvHeads * headDim), bench.buffer(m * kvHeads * headDim)]
      // By convention 2.5 times the forward, whatever is recomputed.
      await bench.time('attentionBackward', shape, { flop: 2.5 * flop }, () => {
        backend.attentionBackward(dq, dk, dv, dout, out, lse, q, k, v, p)
      })
      bench.release()
    }
  }
  const pageSize = 64
  for (const segments of [1, 16]) {
    const length = sizes.sequences.at(-1)![1]
    const maxPages = Math.ceil(length / pageSize)
    const pages = maxPages * segments
    const pool = pages * pageSize * hidden
    const [q, out, k, v] = [
      bench.buffer(segments * hidden),
      bench.buffer(segments * hidden),
      bench.buffer(pool),
      bench.buffer(pool),
    ]
    const cuQ = bench.integers(Array.from({ length: segments + 1 }, (_, i) => i))
    const kvLengths = bench.integers(Array.from({ length: segments }, () => length))
    const pageTable = bench.integers(Array.from({ length: pages }, (_, i) => i))
    const shape = `decode ${segments} of ${length}`
    await bench.time('attentionPaged', shape, { bytes: 4 * segments * length * hidden }, () => {
      backend.attentionPaged(out, q, k, v, {
        segments,
        cuQ,
        maxQ: 1,
        rowsQ: segments,
        kvLengths,
        maxK: length,
        pageTable,
        maxPages,
        pageSize,
        pages,
        heads,
        kvHeads: heads,
        headDim,
        scale: headDim ** -0.5,
        dtype: 'bf16',
        causal: true,
      })
    })
    bench.release()
  }
}

async function optimizer(bench: Bench, backend: Backend, sizes: Sizes): Promise<void> {
  // The adapters of rank 16 of a LLaMA-7B.
  const n = sizes === full ? 39_976_960 : 4096
  const [param, grad] = [bench.buffer(n, 'f32'), bench.buffer(n, 'f32')]
  const [m, v] = [bench.buffer(n, 'f32'), bench.buffer(n, 'f32')]
  await bench.time('adamw', `${n}`, { bytes: 28 * n }, () => {
    const p = { n, lr: 1e-4, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, step: 1 } as const
    backend.adamw(param, null, grad, m, v, null, { ...p, dtype: 'f32' })
  })
  bench.release()
}

/** Times of the kernels a training step is made of, at the sizes of LLaMA-7B or, `small`, of a dry run. */
export async function kernels(device: DeviceName, isSmall: boolean): Promise<object> {
  const sizes = isSmall ? small : full
  const backend = openDevice(device)
  try {
    const bench = new Bench(backend, sizes.repeats)
    await products(bench, backend, sizes)
    await rows(bench, backend, sizes)
    await attention(bench, backend, sizes)
    await optimizer(bench, backend, sizes)
    return { device: backend.device.description, results: bench.results }
  } finally {
    backend.close()
  }
}
