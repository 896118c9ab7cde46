// @ts-check
import { open } from 'node:fs/promises'
import { openCheckpoint } from '../../packages/core/dist/index.js'

/** What values of tensors begin at a multiple of. */
const alignment = 32
const aligned = (/** @type {number} */ at) => Math.ceil(at / alignment) * alignment

const u32 = (/** @type {number} */ value) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
const u64 = (/** @type {number} */ value) => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
const text = (/** @type {string} */ value) =>
  Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])

/**
 * Writes the model of a GGUF file again with its values in F32, and the same metadata: what llama.cpp multiplies by without rounding the
 * activations to 8 bits.
 * @param {string} from @param {string} to
 */
export async function writeF32(from, to) {
  const source = await openCheckpoint(from)
  if (source.format !== 'gguf' || (source.metadata.get('general.alignment') ?? alignment) !== alignment)
    throw new Error(`${from}: expected a GGUF file aligned to ${alignment}`)
  const tensors = [...source.tensors]
  const input = await open(from)
  const output = await open(to, 'w')
  try {
    // The metadata end where the first tensor is described: behind them stand its name, rank, sizes and type.
    const head = Buffer.alloc(Math.min(...tensors.map(([, { offset }]) => offset)))
    await input.read(head, 0, head.length, 0)
    const first = text(tensors[0]?.[0] ?? '')
    const parts = [head.subarray(0, head.lastIndexOf(first))]
    let [end, at] = [parts[0]?.length ?? 0, 0]
    for (const [name, { shape }] of tensors) {
      const sizes = [...shape].reverse().map(u64)
      const described = Buffer.concat([text(name), u32(shape.length), ...sizes, u32(0), u64(at)])
      parts.push(described)
      end += described.length
      at = aligned(at + 4 * shape.reduce((a, b) => a * b, 1))
    }
    parts.push(Buffer.alloc(aligned(end) - end))
    await output.writev(parts)
    let place = aligned(end)
    for (const [name] of tensors) {
      const { buffer, byteOffset, byteLength } = await source.read(name)
      await output.write(new Uint8Array(buffer, byteOffset, byteLength), 0, byteLength, place)
      place = aligned(place + byteLength)
    }
    await output.truncate(place)
  } finally {
    await input.close()
    await output.close()
  }
}
