// @ts-check
// Each kernel of a training step at its shapes, against what this machine's CPU can do at most: GFLOP/s of products in the
// first-level cache, GB/s of reading memory. A kernel cannot be faster than the larger of its two times.
//   node bench/roofline.mjs [--model smollm2-135m] [--dtype bf16] [--rows 512] [--segments 2] [--json]
import { parseArgs } from 'node:util'
import { openCpu } from '@ift/kernels-cpu'
import { shapes } from './shapes.mjs'

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'smollm2-135m' },
    dtype: { type: 'string', default: 'bf16' },
    rows: { type: 'string', default: '512' },
    segments: { type: 'string', default: '2' },
    rank: { type: 'string', default: '8' },
    json: { type: 'boolean', default: false },
  },
})
const shape = shapes[values.model]
if (!shape) throw new Error(`--model ${values.model}: expected ${Object.keys(shapes).join(' or ')}`)
const dtype = /** @type {'bf16' | 'f32'} */ (values.dtype)
const [n, segments, rank] = [values.rows, values.segments, values.rank].map(Number)
if (!n || !segments || !rank || n % segments) throw new Error('--rows must be a multiple of --segments')
const {
  hidden_size: hidden,
  intermediate_size: inner,
  num_attention_heads: heads,
  num_key_value_heads: kvHeads,
} = shape
const headDim = hidden / heads
const size = dtype === 'f32' ? 4 : 2
const backend = openCpu()
const { peak, bandwidth } = backend.roofs(dtype)

/** A buffer of `count` elements that hold numbers. @param {number} count @param {'bf16' | 'f32'} type */
const buffer = (count, type = dtype) => {
  const buf = backend.alloc(count * (type === 'f32' ? 4 : 2))
  backend.random(buf, count, 'normal', 1, 1, type)
  return buf
}
/** @param {number[]} list */
const ints = (list) => {
  const buf = backend.alloc(4 * list.length)
  backend.write(buf, Int32Array.from(list))
  return buf
}
/** @type {{ kernel: string, shape: string, ms: number, gflop: number, mb: number }[]} */
const table = []
/**
 * The fastest of several calls, each alone in the queue.
 *
 * @param {string} kernel @param {string} text @param {number} flop @param {number} bytes @param {() => void} call
 * @param {string} [part] what the part of the call that counts says of itself
 */
const measure = async (kernel, text, flop, bytes, call, part = '') => {
  let ms = Infinity
  for (let i = 0; i < 12; i++) {
    backend.startProfile()
    call()
    await backend.synchronize()
    ms = Math.min(
      ms,
      backend.stopProfile().reduce((sum, one) => sum + (one.detail.includes(part) ? one.ms : 0), 0),
    )
  }
  table.push({ kernel, shape: text, ms, gflop: flop / 1e9, mb: bytes / 1e6 })
}

const base = { alpha: 1, beta: /** @type {0} */ (0), dtype, outDtype: dtype }
/** y [m, n] of a [m, k]. @param {string} name @param {number} m @param {number} cols @param {number} k @param {boolean} transB */
const product = async (name, m, cols, k, transB) => {
  const [y, a, b] = [buffer(m * cols), buffer(m * k), buffer(k * cols)]
  const shape = `${m}×${cols}×${k} ${transB ? 'nt' : 'nn'}`
  await measure(`gemm ${name}`, shape, 2 * m * cols * k, size * (m * k + k * cols + m * cols), () => {
    backend.gemm(y, a, b, null, { ...base, m, n: cols, k, transA: false, transB })
  })
  for (const buf of [y, a, b]) backend.free(buf)
}
/** The large product of an adapted layer of m inputs and outputs, or of its gradient. @param {string} name @param {number} k @param {number} m @param {boolean} forward */
const adapted = async (name, k, m, forward) => {
  const [x, y, w] = [buffer(n * k), buffer(n * m), buffer(m * k)]
  const [low, a, b] = [buffer(n * rank), buffer(rank * k), buffer(m * rank)]
  const p = { n, k, m, r: rank, scale: 1, dtype, beta: base.beta, outDtype: dtype }
  const gradients = { x: { buf: x, beta: base.beta, dtype }, z: null, a: null, b: null, joined: true }
  const [cols, depth] = forward ? [m, k] : [k, m]
  const shape = `${n}×${cols}×${depth}+${rank} ${forward ? 'nt' : 'nn'}`
  const bytes = size * (n * (depth + rank) + (depth + rank) * cols + n * cols)
  const call = () => {
    if (forward) backend.lowRank(y, low, x, x, w, a, b, null, p)
    else backend.lowRankBackward(gradients, y, null, low, w, a, b, p)
  }
  // Its low-rank products alone are counted by themselves.
  await measure(`gemm ${name}`, shape, 2 * n * cols * (depth + rank), bytes, call, `+${rank} `)
  for (const buf of [x, y, w, low, a, b]) backend.free(buf)
}
const kv = kvHeads * headDim
await adapted('q, o', hidden, hidden, true)
await adapted('k, v', hidden, kv, true)
await adapted('gate, up', hidden, inner, true)
await adapted('down', inner, hidden, true)
await adapted('d q, o', hidden, hidden, false)
await adapted('d gate, up', hidden, inner, false)
await adapted('d down', inner, hidden, false)
await product('head', Math.min(n, 256), shape.vocab_size, hidden, true)
await product('d head', Math.min(n, 256), hidden, shape.vocab_size, false)
await product('A', n, rank, hidden, true)
{
  const [y, a, b] = [buffer(rank * hidden, 'f32'), buffer(n * rank), buffer(n * hidden)]
  await measure(
    'gemm d A',
    `${rank}×${hidden}×${n} tn`,
    2 * n * rank * hidden,
    size * n * (rank + hidden) + 4 * rank * hidden,
    () => {
      backend.gemm(y, a, b, null, {
        ...base,
        outDtype: 'f32',
        m: rank,
        n: hidden,
        k: n,
        transA: true,
        transB: false,
      })
    },
  )
}
{
  const length = n / segments
  const cu = ints(Array.from({ length: segments + 1 }, (_, i) => i * length))
  const p = {
    segments,
    cuQ: cu,
    cuK: cu,
    maxQ: length,
    maxK: length,
    rowsQ: n,
    rowsK: n,
    heads,
    kvHeads,
    headDim,
    scale: 1 / Math.sqrt(headDim),
    dtype,
    causal: true,
  }
  const [q, out, dq, dout] = [0, 1, 2, 3].map(() => buffer(n * hidden))
  const [k, v, dk, dv] = [0, 1, 2, 3].map(() => buffer(n * kv))
  const lse = buffer(n * heads, 'f32')
  if (!q || !out || !dq || !dout || !k || !v || !dk || !dv) throw new Error('unreachable')
  const seen = (segments * heads * length * (length + 1)) / 2
  const rows = size * n * (2 * hidden + 2 * kv)
  await measure(
    'attention',
    `${segments}×${length}, ${heads}/${kvHeads}×${headDim}`,
    4 * seen * headDim,
    rows,
    () => {
      backend.attention(out, lse, q, k, v, p)
    },
  )
  await measure(
    'attentionBackward',
    `${segments}×${length}, ${heads}/${kvHeads}×${headDim}`,
    10 * seen * headDim,
    2 * rows,
    () => {
      backend.attentionBackward(dq, dk, dv, dout, out, lse, q, k, v, p)
    },
  )
  const positions = ints(Array.from({ length: n }, (_, i) => i % length))
  const frequencies = buffer(headDim / 2, 'f32')
  await measure('rope', `${n}×${heads}×${headDim}`, 0, 2 * size * n * hidden, () => {
    backend.rope(out, q, positions, frequencies, {
      rows: n,
      heads,
      headDim,
      dimOffset: 0,
      dims: headDim,
      interleaved: false,
      inverse: false,
      scale: 1,
      dtype,
    })
  })
  const [weight, rstd] = [buffer(hidden), buffer(n, 'f32')]
  await measure('rmsNorm', `${n}×${hidden}`, 0, 2 * size * n * hidden, () => {
    backend.rmsNorm(out, rstd, q, weight, n, hidden, 1e-5, dtype)
  })
  await measure('rmsNormBackward', `${n}×${hidden}`, 0, 3 * size * n * hidden, () => {
    backend.rmsNormBackward(dq, null, dout, q, weight, rstd, n, hidden, dtype, 0)
  })
  const [gate, up, y, dy] = [0, 1, 2, 3].map(() => buffer(n * inner))
  if (!gate || !up || !y || !dy) throw new Error('unreachable')
  await measure('swiglu', `${n}×${inner}`, 0, 3 * size * n * inner, () => {
    backend.swiglu(y, gate, up, n * inner, dtype)
  })
  await measure('swigluBackward', `${n}×${inner}`, 0, 5 * size * n * inner, () => {
    backend.swigluBackward(gate, up, dy, gate, up, n * inner, dtype)
  })
  const rowsOfHead = Math.min(n, 256)
  const cells = rowsOfHead * shape.vocab_size
  const [logits, grad, loss] = [buffer(cells, 'f32'), buffer(cells), buffer(rowsOfHead, 'f32')]
  const labels = ints(Array.from({ length: rowsOfHead }, (_, i) => i))
  await measure('crossEntropy', `${rowsOfHead}×${shape.vocab_size}`, 0, cells * (4 + size), () => {
    backend.crossEntropy(loss, grad, logits, labels, {
      rows: rowsOfHead,
      vocab: shape.vocab_size,
      gradScale: 1,
      dtype: 'f32',
      gradDtype: dtype,
    })
  })
}
const { description } = backend.device
backend.close()

const rows = table.map(({ kernel, shape, ms, gflop, mb }) => {
  const roof = Math.max((gflop / peak) * 1e3, mb / bandwidth)
  return {
    kernel,
    shape,
    ms: Number(ms.toFixed(3)),
    gflops: Math.round((gflop / ms) * 1e3),
    gb_per_s: Number((mb / ms).toFixed(1)),
    roof_ms: Number(roof.toFixed(3)),
    of_roof: Number((roof / ms).toFixed(2)),
  }
})
if (values.json) {
  process.stdout.write(
    `${JSON.stringify({ model: values.model, dtype, rows: n, segments, device: description, peak_gflops: Math.round(peak), bandwidth_gb_per_s: Number(bandwidth.toFixed(1)), kernels: rows, date: new Date().toISOString().slice(0, 10) }, null, 1)}\n`,
  )
} else {
  console.log(`${description}: ${peak.toFixed(0)} GFLOP/s in ${dtype}, ${bandwidth.toFixed(1)} GB/s`)
  console.table(rows)
}
