import { createHash, type Hash } from 'node:crypto'
import { closeSync, read as readCallback } from 'node:fs'
import { promisify } from 'node:util'
import { mostSettingsBytes } from '../../files/bounds.js'
import { openRegularSync } from '../../files/regular-file.js'
import { keepInUse } from './cache-folder.js'
import type { StoreFacts, StoreIndex } from './sample-store.js'
import { bytesOf, Tokens } from './tokens.js'

// A file of samples, in the byte order of the processor:
//   "ift-samples-2\n" and two zeros
//   tokens   int32 [tokens], samples end to end
//   lengths  int32 [count]
//   learned  int32 [count]
//   without  int32 [without], examples without a sample
//   facts    JSON: count, without, tokens, sha256 of the arrays, and what `StoreFacts` says
//   end      uint32: bytes of the JSON; its sha256
// It can be written from its beginning to its end without knowing how many samples there will be, and every byte of it is checked.

export const magic = Buffer.from('ift-samples-2\n\0\0', 'latin1')
const endBytes = 4 + 32

export interface Header extends StoreFacts {
  readonly count: number
  readonly without: number
  readonly tokens: number
}

const read = promisify(readCallback)

/** Bytes that are read and hashed at once. */
const stepBytes = 1 << 20

/** The arrays behind the tokens. */
export const arraysOf = ({ lengths, learned, without }: StoreIndex): Int32Array[] => [
  lengths,
  learned,
  without,
]

/** sha256 of a store, by a hash that has seen its tokens. */
export function digestOf(hash: Hash, index: StoreIndex): string {
  for (const array of arraysOf(index)) hash.update(bytesOf(array))
  return hash.digest('hex')
}

/** What stands behind the arrays of a file. */
export function endOf(header: Header): Buffer {
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(json.length)
  return Buffer.concat([json, length, createHash('sha256').update(json).digest()])
}

/** A file that was opened and read through once. */
export interface OpenedStore {
  readonly tokens: Tokens
  readonly index: StoreIndex
  readonly facts: StoreFacts
}

/** Opens a file of samples, which is the same as when it was written; null when there is none or it is another one. */
export async function openStoreFile(path: string): Promise<OpenedStore | null> {
  let opened
  try {
    opened = openRegularSync(path)
  } catch {
    return null
  }
  const { file, size } = opened
  try {
    const found = await check(file, size)
    if (found !== null) {
      const { count: _, without: __, tokens, ...facts } = found.header
      const onFile = { file, path, offset: magic.length, tokens, onClose: keepInUse(file) }
      return { index: found.index, tokens: new Tokens(onFile, []), facts }
    }
  } catch {
    // It is made again.
  }
  closeSync(file)
  return null
}

async function check(file: number, size: number) {
  const at = async (position: number, bytes: number) => {
    const buffer = Buffer.from(new ArrayBuffer(bytes))
    for (let done = 0; done < bytes;) {
      const { bytesRead } = await read(file, buffer, done, Math.min(1 << 28, bytes - done), position + done)
      if (bytesRead === 0) throw new Error('unexpected end of file')
      done += bytesRead
    }
    return buffer
  }
  if (size < magic.length + endBytes || !(await at(0, magic.length)).equals(magic)) return null
  const end = await at(size - endBytes, endBytes)
  const jsonBytes = end.readUInt32LE(0)
  if (jsonBytes > Math.min(mostSettingsBytes, size - magic.length - endBytes)) return null
  const json = await at(size - endBytes - jsonBytes, jsonBytes)
  if (!createHash('sha256').update(json).digest().equals(end.subarray(4))) return null
  const header = JSON.parse(json.toString('utf8')) as Header
  const { count, without, tokens, sha256 } = header
  if (size !== magic.length + 4 * (tokens + 2 * count + without) + jsonBytes + endBytes) return null
  const hash = createHash('sha256')
  // The next bytes are read while those before are hashed.
  const [from, to] = [magic.length, magic.length + 4 * tokens]
  const next = (position: number) => (position < to ? at(position, Math.min(stepBytes, to - position)) : null)
  let pending = next(from)
  for (let position = from; pending !== null; position += stepBytes) {
    const bytes: Buffer = await pending
    pending = next(position + stepBytes)
    // Its error is thrown when its turn comes.
    pending?.catch(() => undefined)
    hash.update(bytes)
  }
  let position = to
  const array = async (length: number) => {
    const bytes = await at(position, 4 * length)
    position += 4 * length
    return new Int32Array(bytes.buffer)
  }
  const index = {
    lengths: await array(count),
    learned: await array(count),
    without: await array(without),
  }
  if (digestOf(hash, index) !== sha256) return null
  let sum = 0
  for (const length of index.lengths) {
    if (length < 0) return null
    sum += length
  }
  return sum === tokens ? { header, index } : null
}
