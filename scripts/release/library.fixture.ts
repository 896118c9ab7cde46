/** Smallest libraries of each format: what `readLibrary` reads of them, written down by the same descriptions. */
export interface Content {
  readonly machine: number
  readonly exports?: readonly string[]
  readonly needs?: readonly string[]
  /** Anything else that the file holds. */
  readonly text?: string
}

/** Strings one after the other, each ended by 0, with where each begins. */
function strings(values: readonly string[]): { bytes: Buffer; at: Map<string, number> } {
  const at = new Map<string, number>()
  let text = '\0'
  for (const value of values) {
    at.set(value, text.length)
    text += `${value}\0`
  }
  return { bytes: Buffer.from(text, 'latin1'), at }
}

/** Sections: of dynamic symbols (one of them undefined), of dynamic entries, and of their strings. */
export function elf({ machine, exports = [], needs = [], text = '' }: Content): Buffer {
  const { bytes: names, at } = strings([...exports, ...needs, 'undefined', text])
  const symbols = Buffer.alloc(24 * (exports.length + 1))
  ;[...exports, 'undefined'].forEach((name, index) => {
    symbols.writeUInt32LE(at.get(name)!, 24 * index)
    symbols.writeUInt8(0x12, 24 * index + 4)
    symbols.writeUInt16LE(name === 'undefined' ? 0 : 7, 24 * index + 6)
  })
  const dynamic = Buffer.alloc(16 * (needs.length + 1))
  needs.forEach((name, index) => {
    dynamic.writeBigUInt64LE(1n, 16 * index)
    dynamic.writeBigUInt64LE(BigInt(at.get(name)!), 16 * index + 8)
  })
  const parts = [symbols, dynamic, names]
  const header = Buffer.alloc(64)
  header.writeUInt32BE(0x7f454c46, 0)
  header.writeUInt16LE(machine, 18)
  header.writeUInt16LE(64, 0x3a)
  header.writeUInt16LE(parts.length, 0x3c)
  let from = header.length
  const sections = parts.map((part, index) => {
    const section = Buffer.alloc(64)
    section.writeUInt32LE([11, 6, 3][index]!, 4)
    section.writeBigUInt64LE(BigInt(from), 24)
    section.writeBigUInt64LE(BigInt(part.length), 32)
    section.writeUInt32LE(2, 40)
    from += part.length
    return section
  })
  header.writeBigUInt64LE(BigInt(from), 0x28)
  return Buffer.concat([header, ...parts, ...sections])
}

/** Load commands: libraries, the oldest macOS, symbols (one of them undefined). */
export function machO(content: Content & { readonly oldest?: readonly [number, number] }): Buffer {
  const { machine, exports = [], needs = [], text = '', oldest = [11, 0] } = content
  const command = (type: number, fields: readonly number[], name = '') => {
    const bytes = Buffer.alloc(8 + 4 * fields.length + name.length + 1)
    ;[type, bytes.length, ...fields].forEach((field, index) => bytes.writeUInt32LE(field, 4 * index))
    bytes.write(name, 8 + 4 * fields.length, 'latin1')
    return bytes
  }
  const { bytes: names, at } = strings([...exports.map((name) => `_${name}`), '_undefined', text])
  const libraries = needs.map((name) => command(0xc, [24, 0, 0, 0], name))
  const version = command(0x32, [1, (oldest[0] << 16) | (oldest[1] << 8), 0, 0])
  const before = 32 + [...libraries, version].reduce((sum, { length }) => sum + length, 0) + 25
  const symbols = Buffer.alloc(16 * (exports.length + 1))
  ;[...exports, 'undefined'].forEach((name, index) => {
    symbols.writeUInt32LE(at.get(`_${name}`)!, 16 * index)
    symbols.writeUInt8(name === 'undefined' ? 0x01 : 0x0f, 16 * index + 4)
  })
  const table = command(2, [before, exports.length + 1, before + symbols.length, names.length])
  const header = Buffer.alloc(32)
  header.writeUInt32LE(0xfeedfacf, 0)
  header.writeUInt32LE(machine, 4)
  header.writeUInt32LE(libraries.length + 2, 16)
  return Buffer.concat([header, ...libraries, version, table, symbols, names])
}

/** One section at address 0x1000 with the tables of exports and imports. */
export function pe({ machine, exports = [], needs = [], text = '' }: Content): Buffer {
  const [optional, from, address] = [64 + 24, 64 + 24 + 240 + 40, 0x1000]
  const imported = 40 + 4 * exports.length
  const tables = Buffer.alloc(imported + 20 * (needs.length + 1))
  const { bytes: names, at } = strings([...exports, ...needs, text])
  const nameOf = (name: string) => address + tables.length + at.get(name)!
  tables.writeUInt32LE(exports.length, 24)
  tables.writeUInt32LE(address + 40, 32)
  exports.forEach((name, index) => tables.writeUInt32LE(nameOf(name), 40 + 4 * index))
  needs.forEach((name, index) => tables.writeUInt32LE(nameOf(name), imported + 20 * index + 12))
  const header = Buffer.alloc(from)
  header.write('MZ', 0, 'latin1')
  header.writeUInt32LE(64, 0x3c)
  header.write('PE\0\0', 64, 'latin1')
  header.writeUInt16LE(machine, 64 + 4)
  header.writeUInt16LE(1, 64 + 6)
  header.writeUInt16LE(240, 64 + 20)
  header.writeUInt32LE(address, optional + 112)
  header.writeUInt32LE(address + imported, optional + 120)
  const section = optional + 240
  header.writeUInt32LE(tables.length + names.length, section + 8)
  header.writeUInt32LE(address, section + 12)
  header.writeUInt32LE(tables.length + names.length, section + 16)
  header.writeUInt32LE(from, section + 20)
  return Buffer.concat([header, tables, names])
}
