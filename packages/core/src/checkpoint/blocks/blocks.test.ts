import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openSafetensors } from '../safetensors.js'
import { readStored, readValues } from '../stored.js'
import { blockFormats, decodeBlocks, type BlockDType } from './index.js'

const fixture = fileURLToPath(
  new URL('../../../../../fixtures/checkpoint/gguf-blocks.safetensors', import.meta.url),
)

const bits = (values: Float32Array) =>
  // Which NaN it is, no implementation promises.
  new Uint32Array(values.map((value) => value).buffer).map((word, i) =>
    Number.isNaN(values[i]) ? 0x7fc00000 : word,
  )

// Random blocks, zeros, ones, and scales of every kind: scripts/reference/make_gguf_blocks.py.
test.each(Object.keys(blockFormats) as BlockDType[])('%s is decoded bit for bit', async (dtype) => {
  const { tensors } = await openSafetensors(fixture)
  const blocks = tensors.get(`${dtype}.blocks`)!
  const { bytes, size } = blockFormats[dtype]
  expect(blocks.shape[1]).toBe(bytes)
  const expected = await readValues(tensors.get(`${dtype}.values`)!)
  expect(expected.length).toBe(blocks.shape[0]! * size)
  expect(expected.some((value) => Number.isNaN(value))).toBe(true)
  expect(bits(decodeBlocks(await readStored(blocks), dtype))).toEqual(bits(expected))
})
