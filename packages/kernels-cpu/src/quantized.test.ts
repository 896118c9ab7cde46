import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  dynamicLevels,
  nf4Levels,
  quantFormats,
  quantizedSizes,
  type Backend,
  type Buf,
  type QuantFormat,
  type QuantizedMatrix,
} from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { openCpu } from './index.js'

interface Entry {
  readonly shape: readonly number[]
  readonly data_offsets: readonly [number, number]
}

/** Tensors that bitsandbytes made: scripts/reference/make_quantized.py. */
const file = readFileSync(new URL('../../../fixtures/quantized/golden.safetensors', import.meta.url))
const start = 8 + Number(file.readBigUInt64LE(0))
const header = JSON.parse(file.subarray(8, start).toString()) as Record<string, Entry>
const bytes = (name: string) => {
  const [from, to] = header[name]!.data_offsets
  return new Uint8Array(file.subarray(start + from, start + to))
}
const floats = (name: string) => new Float32Array(bytes(name).buffer)

test('the tables are those of bitsandbytes', () => {
  expect(nf4Levels).toEqual(floats('nf4_levels'))
  expect(dynamicLevels).toEqual(floats('dynamic_levels'))
})

const names = ['wide', 'narrow', 'odd']
const open: Record<string, () => Backend> = {
  cpu: () => openCpu({ threads: 2 }),
  reference: () => referenceBackend(),
}

async function read(backend: Backend, buf: Buf, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const to = new Uint8Array(length)
  await backend.read(buf, to)
  return to
}

/** Values that agree within two roundings. */
function near(found: ArrayBuffer, name: string): void {
  const expected = floats(name)
  for (const [i, value] of new Float32Array(found).entries()) {
    const apart = Math.abs(value - expected[i]!)
    if (!(apart <= 3e-7 * Math.abs(expected[i]!))) expect(value, `${name}[${i}]`).toBe(expected[i])
  }
}

function upload(backend: Backend, data: Uint8Array): Buf {
  const buf = backend.alloc(data.length)
  backend.write(buf, data)
  return buf
}

describe.each(Object.keys(open))('%s', (device) => {
  describe.each(quantFormats)('%s', (format: QuantFormat) => {
    test.each(names)('codes, scales and values of the %s matrix are those of bitsandbytes', async (name) => {
      const backend = open[device]!()
      const [rows, cols] = header[`${name}.weight`]!.shape as [number, number]
      const sizes = quantizedSizes(format, rows, cols)
      const part = (what: string) => bytes(`${name}.${format}.${what}`)
      const parts = ['codes', 'scales', ...(format === 'nf4' ? ['groups'] : [])]
      expect(parts.reduce((sum, what) => sum + part(what).length, 0)).toBe(sizes.bytes)

      // Its parts, read by us.
      const theirs: QuantizedMatrix = {
        format,
        rows,
        cols,
        codes: upload(backend, part('codes')),
        scales: upload(backend, part('scales')),
        groups: format === 'nf4' ? upload(backend, part('groups')) : null,
      }
      const y = backend.alloc(rows * cols * 4)
      backend.dequantize(y, theirs, 'f32')
      near((await read(backend, y, rows * cols * 4)).buffer, `${name}.${format}.values`)

      // The same matrix, quantised by us.
      const ours: QuantizedMatrix = {
        ...theirs,
        codes: backend.alloc(part('codes').length),
        scales: backend.alloc(part('scales').length),
        groups: format === 'nf4' ? backend.alloc(part('groups').length) : null,
      }
      backend.quantize(ours, upload(backend, bytes(`${name}.weight`)), 'f32')
      expect(await read(backend, ours.codes, part('codes').length)).toEqual(part('codes'))
      const scales = await read(backend, ours.scales!, part('scales').length)
      if (ours.groups === null) expect(scales).toEqual(part('scales'))
      else {
        expect(scales).toEqual(part('nearest'))
        near((await read(backend, ours.groups, part('groups').length)).buffer, `${name}.nf4.groups`)
      }
      backend.close()
    })
  })
})
