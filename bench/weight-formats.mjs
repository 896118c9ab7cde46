// @ts-check
// Products of few rows with weights of every format, and writing them out, on one thread: milliseconds of the processor, which other work on
// the machine changes little, and weights in a nanosecond. The weights, 28 million of them, lie outside of any cache.
//   node bench/weight-formats.mjs [--formats bf16,nf4,Q4_1] [--rows 1,4] [--calls 10]
import { parseArgs } from 'node:util'
import { openCpu } from '@ift/kernels-cpu'
import { blockSizes, isBlockFormat, quantFormats, quantizedSizes } from '@ift/tensor'

const { values } = parseArgs({
  options: {
    formats: { type: 'string', default: ['bf16', ...quantFormats, ...Object.keys(blockSizes)].join() },
    rows: { type: 'string', default: '1,4' },
    calls: { type: 'string', default: '10' },
  },
})
const calls = Number(values.calls)
const copies = 3
/** @typedef {import('@ift/tensor').WeightFormat} WeightFormat @typedef {import('@ift/tensor').QuantizedMatrix} QuantizedMatrix */

const backend = openCpu({ threads: 1 })
backend.invariantRows = true
console.log(backend.device.description)

/** A matrix [n, k] in a format, of any values. @param {WeightFormat} format @param {number} n @param {number} k @returns {QuantizedMatrix} */
function matrix(format, n, k) {
  const sizes = quantizedSizes(format, n, k)
  const filled = (/** @type {number} */ size, /** @type {'u8' | 'f32'} */ dtype) => {
    const buf = backend.alloc(size * (dtype === 'u8' ? 1 : 4))
    backend.fill(buf, dtype === 'u8' ? 3 : 0.01, size, dtype)
    return buf
  }
  return {
    ...{ format, rows: n, cols: k, codes: filled(sizes.codes, 'u8') },
    scales: sizes.scales > 0 ? filled(sizes.scales, format === 'nf4' ? 'u8' : 'f32') : null,
    groups: sizes.groups > 0 ? filled(sizes.groups, 'f32') : null,
  }
}

/** Milliseconds of the processor for a call. @param {(i: number) => void} call */
async function cost(call) {
  call(0)
  await backend.synchronize()
  const before = process.cpuUsage()
  for (let i = 0; i < calls; i++) call(i)
  await backend.synchronize()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000 / calls
}

const table = []
for (const format of values.formats.split(',')) {
  // As many weights, in rows of whole blocks.
  const [n, k] = isBlockFormat(format) && blockSizes[format].size > 32 ? [27648, 1024] : [49152, 576]
  const y = backend.alloc(n * k * 2)
  /** @type {Record<string, string | number>} */
  const row = { format }
  const rate = (/** @type {number} */ ms) => `${ms.toFixed(2)} ms, ${((n * k) / ms / 1e6).toFixed(1)} / ns`
  const held =
    format === 'bf16'
      ? []
      : Array.from({ length: copies }, () => matrix(/** @type {WeightFormat} */ (format), n, k))
  const plain = Array.from({ length: format === 'bf16' ? copies : 0 }, () => {
    const w = backend.alloc(n * k * 2)
    backend.fill(w, 0.25, n * k, 'bf16')
    return w
  })
  for (const m of values.rows.split(',').map(Number)) {
    const x = backend.alloc(m * k * 2)
    backend.fill(x, 0.5, m * k, 'bf16')
    const types = /** @type {const} */ ({ dtype: 'bf16', outDtype: 'f32', beta: 0 })
    row[`${m} rows`] = rate(
      await cost((i) => {
        const w = held[i % copies]
        if (w) backend.quantizedProduct(y, x, w, null, { m, ...types })
        else {
          const p = { m, n, k, transA: false, transB: true, alpha: 1, ...types }
          backend.gemm(y, x, /** @type {import('@ift/tensor').Buf} */ (plain[i % copies]), null, p)
        }
      }),
    )
    backend.free(x)
  }
  if (held.length > 0)
    row['written out to bf16'] = rate(
      await cost((i) => backend.dequantize(y, /** @type {QuantizedMatrix} */ (held[i % copies]), 'bf16')),
    )
  for (const { codes, scales, groups } of held)
    for (const buf of [codes, scales, groups]) if (buf !== null) backend.free(buf)
  for (const buf of [...plain, y]) backend.free(buf)
  table.push(row)
}
console.table(table)
backend.close()
