import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { decodeFloats, encodeFloats, type WrittenDType } from '../numbers.js'
import { openSafetensors } from '../safetensors.js'
import { readStored, readValues } from '../stored.js'
import { encodeBlocks } from './index.js'

// What the package gguf and a port of llama.cpp's search write: scripts/reference/make_gguf_quants.py.
const fixture = fileURLToPath(
  new URL('../../../../../fixtures/checkpoint/gguf-quants.safetensors', import.meta.url),
)

/** The row of groups of one value each. */
const oneValue = 12

const open = async (dtype: WrittenDType) => {
  const { tensors } = await openSafetensors(fixture)
  const expected = await readStored(tensors.get(`${dtype}.blocks`)!)
  return { values: await readValues(tensors.get('values')!), expected }
}

test.each<WrittenDType>(['F16', 'BF16', 'Q4_0', 'Q5_0', 'Q5_1', 'Q8_0'])(
  '%s is written bit for bit as the package gguf writes it',
  async (dtype) => {
    const { values, expected } = await open(dtype)
    expect(Buffer.compare(encodeFloats(values, dtype), expected)).toBe(0)
  },
)

describe.each<WrittenDType>(['Q4_K', 'Q5_K', 'Q6_K'])('%s', (dtype) => {
  const error = (found: Float32Array, values: Float32Array, row: number) => {
    let sum = 0
    for (let i = row * 256; i < row * 256 + 256; i++) sum += (found[i]! - values[i]!) ** 2
    return Math.sqrt(sum / 256)
  }

  test('every row is as near as with the published search', async () => {
    const { values, expected } = await open(dtype)
    const written = decodeFloats(encodeFloats(values, dtype), dtype)
    const reference = decodeFloats(expected, dtype)
    for (let row = 0; row < values.length / 256; row++) {
      // Groups of one value are exact with any scale: rounding chooses.
      if (dtype === 'Q6_K' && row === oneValue) continue
      expect(error(written, values, row), `row ${row}`).toBeLessThanOrEqual(
        1.02 * error(reference, values, row) + 1e-12,
      )
    }
  })

  test('nearly all bytes are the same', async () => {
    const { values, expected } = await open(dtype)
    const written = encodeFloats(values, dtype)
    expect(written.length).toBe(expected.length)
    const same = written.filter((byte, i) => byte === expected[i]).length
    expect(same / written.length).toBeGreaterThan(0.98)
  })
})

test('halves: every one is written back as it was read, and what lies between goes to the nearest', () => {
  const all = new Uint8Array(Uint16Array.from({ length: 0x7c00 }, (_, bits) => bits).buffer)
  const values = decodeFloats(all, 'F16')
  expect(Buffer.compare(encodeFloats(values, 'F16'), all)).toBe(0)
  const bits = (...given: number[]) => [
    ...new Uint16Array(encodeFloats(Float32Array.from(given), 'F16').buffer as ArrayBuffer),
  ]
  expect(bits(65519, 65520, -1e9, 2 ** -25, 2 ** -25 * 1.0001, -0, NaN)).toEqual([
    0x7bff, 0x7c00, 0xfc00, 0, 1, 0x8000, 0x7e00,
  ])
  expect(bits(1 + 2 ** -11, 1 + 3 * 2 ** -11)).toEqual([0x3c00, 0x3c02])
})

test('a type that is only read is named', () => {
  expect(() => encodeBlocks(new Float32Array(256), 'IQ4_XS')).toThrow(
    expect.objectContaining({ code: 'IFT_EXPORT_UNSUPPORTED' }),
  )
})
