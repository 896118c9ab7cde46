import { crc32, deflateRawSync } from 'node:zlib'

/** An entry of a zip archive that a test makes, honest or not. */
export interface ZipContent {
  readonly name: string
  readonly data: Uint8Array
  /** 0: stored, 8: deflate, the default. Any other is said alone. */
  readonly method?: number
  readonly isEncrypted?: boolean
  /** Type and permissions of a file of Unix; without, the archive is one of a system that has none. */
  readonly mode?: number
  readonly crc?: number
  /** What the directory says in place of the truth. */
  readonly size?: number
  /** Where the directory says that it begins, in place of the truth. */
  readonly offset?: number
}

/** A zip archive (APPNOTE 6.3.10) without zip64. */
export function makeZip(entries: readonly ZipContent[]): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let offset = 0
  for (const { name, data, method = 8, isEncrypted = false, ...told } of entries) {
    const stored = method === 8 ? deflateRawSync(data) : Buffer.from(data)
    const file = Buffer.from(name)
    // From the version to the lengths, as local headers and the directory have it.
    const facts = Buffer.alloc(26)
    facts.writeUInt16LE(20, 0)
    facts.writeUInt16LE(0x800 | (isEncrypted ? 1 : 0), 2)
    facts.writeUInt16LE(method, 4)
    facts.writeUInt32LE(told.crc ?? crc32(data), 10)
    facts.writeUInt32LE(stored.length, 14)
    facts.writeUInt32LE(told.size ?? data.length, 18)
    facts.writeUInt16LE(file.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), facts, file, stored])
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(told.offset ?? offset, 10)
    if (told.mode !== undefined) rest.writeUInt16LE(told.mode, 8)
    const made = told.mode === undefined ? '\x14\x00' : '\x14\x03'
    directory.push(Buffer.concat([Buffer.from(`PK\x01\x02${made}`, 'latin1'), facts, rest, file]))
    parts.push(local)
    offset += local.length
  }
  const list = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06')
  end.writeUInt16LE(entries.length, 8)
  end.writeUInt16LE(entries.length, 10)
  end.writeUInt32LE(list.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts, list, end])
}
