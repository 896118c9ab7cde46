import { readFileSync } from 'node:fs'
import { blockSizes, type Backend, type BlockFormat, type Buf, type QuantizedMatrix } from '@ift/tensor'
import { afterAll, describe, expect, test } from 'vitest'
import { instructionSets, openCpu } from './index.js'
import { sequence } from './kernels/kernels.fixture.js'

interface Entry {
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

/** Blocks and their values by ggml, of every kind of scale: scripts/reference/make_gguf_blocks.py. */
const file = readFileSync(new URL('../../../fixtures/checkpoint/gguf-blocks.safetensors', import.meta.url))
const start = 8 + Number(file.readBigUInt64LE(0))
const header = JSON.parse(file.subarray(8, start).toString()) as Record<string, Entry>
const bytesOf = (name: string) => {
  const [from, to] = header[name]!.data_offsets
  return new Uint8Array(file.subarray(start + from, start + to))
}

const formats = Object.keys(blockSizes) as BlockFormat[]
const backends = instructionSets().map((isa) => [isa, openCpu({ isa, threads: 2 })] as const)
afterAll(() => {
  for (const [, backend] of backends) backend.close()
})

function upload(backend: Backend, data: ArrayBufferView): Buf {
  const buf = backend.alloc(data.byteLength)
  backend.write(buf, data)
  return buf
}

async function floats(backend: Backend, buf: Buf, length: number): Promise<Float32Array> {
  const to = new Float32Array(length)
  await backend.read(buf, to)
  return to
}

/** Bits, where which NaN it is, no implementation promises. */
const bits = (values: Float32Array) => {
  const words = new Uint32Array(values.buffer.slice(0))
  for (const [i, value] of values.entries()) if (Number.isNaN(value)) words[i] = 0x7fc00000
  return words
}

const blocksOf = (backend: Backend, format: BlockFormat, rows: number, cols: number, data: Uint8Array) =>
  ({ format, rows, cols, codes: upload(backend, data), scales: null, groups: null }) satisfies QuantizedMatrix

const roundedBits = (x: Float32Array) =>
  Uint16Array.from(new Uint32Array(x.buffer), (word) => (word + 0x7fff + ((word >>> 16) & 1)) >>> 16)
const roundedValues = (x: Float32Array) =>
  new Float32Array(Uint32Array.from(roundedBits(x), (word) => word << 16).buffer)

describe.each(backends)('%s', (_isa, backend) => {
  test.each(formats)('%s: values and rows are those of ggml bit for bit', async (format) => {
    const { size } = blockSizes[format]
    const rows = header[`${format}.blocks`]!.shape[0]!
    const w = blocksOf(backend, format, rows, size, bytesOf(`${format}.blocks`))
    const expected = new Float32Array(bytesOf(`${format}.values`).buffer)
    const y = backend.alloc(rows * size * 4)
    backend.dequantize(y, w, 'f32')
    expect(bits(await floats(backend, y, rows * size))).toEqual(bits(expected))

    const ids = Int32Array.of(rows - 1, 0, 3, 3)
    backend.blocks.gatherRows(y, w, upload(backend, ids), ids.length, 'f32')
    const picked = await floats(backend, y, ids.length * size)
    for (const [i, id] of ids.entries())
      expect(bits(picked.slice(i * size, (i + 1) * size))).toEqual(
        bits(expected.slice(id * size, (id + 1) * size)),
      )
  })

  // Rows that are whole steps of a product, and, of small blocks, half a step more.
  const shapes = (format: BlockFormat) =>
    blockSizes[format].size === 32
      ? ([
          [45, 512],
          [37, 96],
        ] as const)
      : ([[45, 512]] as const)

  test.each(formats)(
    '%s: products are those of the values, and a row is the same in any company',
    async (format) => {
      const most = 70
      for (const [rows, cols] of shapes(format)) {
        const { size, bytes } = blockSizes[format]
        // Scales of those blocks of the fixture that have usual ones; all else is random.
        const usual = bytesOf(`${format}.blocks`).subarray(0, 3 * bytes)
        const random = sequence(((rows * cols) / size) * bytes, 5, 127)
        const data = Uint8Array.from(random, (value) => value & 255)
        for (let at = 0, from = 0; at < data.length; at += bytes, from = (from + bytes) % usual.length) {
          data.set(usual.subarray(from, from + 4), at)
          data.set(usual.subarray(from + bytes - 2, from + bytes), at + bytes - 2)
        }
        const w = blocksOf(backend, format, rows, cols, data)
        const to = backend.alloc(rows * cols * 4)
        backend.dequantize(to, w, 'f32')
        const values = await floats(backend, to, rows * cols)
        const scale = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
        expect(scale).toBeGreaterThan(0)
        expect(scale).toBeLessThan(Infinity)
        const x = sequence(most * cols, 3)
        for (const dtype of ['f32', 'bf16'] as const) {
          const item = dtype === 'f32' ? 4 : 2
          const of = dtype === 'f32' ? x : roundedValues(x)
          const input = upload(backend, dtype === 'f32' ? x : roundedBits(x))
          const y = backend.alloc(most * rows * 4)
          const product = async (first: number, m: number) => {
            const part = backend.view(input, first * cols * item, m * cols * item)
            backend.fill(y, 0.5 * scale, m * rows, 'f32')
            backend.quantizedProduct(y, part, w, null, { m, beta: 1, dtype, outDtype: 'f32' })
            backend.free(part)
            return floats(backend, y, m * rows)
          }
          backend.invariantRows = true
          const alone = new Float32Array(most * rows)
          for (let row = 0; row < most; row++) alone.set(await product(row, 1), row * rows)
          for (const m of [2, 3, 4, 5, 7, 8, 11, 16, 17, 32, 33, 47, most]) {
            const first = (m * 13) % (most - m + 1)
            const some = await product(first, m)
            expect(bits(some), `${m} rows of ${dtype}`).toEqual(
              bits(alone.slice(first * rows, (first + m) * rows)),
            )
          }
          backend.invariantRows = false
          for (const i of [0, 1, most - 1])
            for (let r = 0; r < rows; r++) {
              let exact = 0.5 * scale
              for (let p = 0; p < cols; p++) exact += of[i * cols + p]! * values[r * cols + p]!
              expect(Math.abs(alone[i * rows + r]! - exact)).toBeLessThan(1e-6 * scale * cols)
            }
        }
      }
    },
  )
})

test('matrices of blocks that do not fit are refused', () => {
  const [, backend] = backends[0]!
  const x = backend.alloc(4096)
  const good = {
    format: 'Q4_1',
    rows: 2,
    cols: 64,
    codes: backend.alloc(80),
    scales: null,
    groups: null,
  } as const
  const bad: QuantizedMatrix[] = [
    { ...good, codes: backend.alloc(79) },
    { ...good, cols: 48 },
    { ...good, scales: x },
    { ...good, groups: x },
    { ...good, format: 'Q4_K' },
  ]
  const ids = backend.alloc(4)
  for (const w of bad) {
    expect(() => {
      backend.dequantize(x, w, 'f32')
    }).toThrow(/expected|neither|does not fit/)
  }
  expect(() => {
    backend.quantize(good, x, 'f32')
  }).toThrow(/q4_1 is not quantised to/)
  expect(() => {
    backend.blocks.gatherRows(x, { ...good, codes: ids }, ids, 1, 'f32')
  }).toThrow(/codes/)
})
