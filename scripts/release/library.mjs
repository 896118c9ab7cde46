// @ts-check
// What a shared library says of itself, in the formats of the three systems: its processor, what it exports, what it needs. Read from
// its bytes, by the ELF specification, Apple's mach-o/loader.h and Microsoft's description of PE; all little-endian, 64 bits.

/**
 * @typedef {object} Library
 * @property {'ELF' | 'Mach-O' | 'PE'} format
 * @property {number} machine The format's own number of the processor.
 * @property {string[]} exports Names as C has them.
 * @property {string[]} needs Libraries that are loaded with it.
 * @property {string | null} oldest Oldest macOS that it is for; null for other systems.
 */

/** @param {Buffer} bytes @param {number} at */
const text = (bytes, at) => bytes.toString('latin1', at, bytes.indexOf(0, at))

/** @param {Buffer} bytes @param {number} at */
const wide = (bytes, at) => Number(bytes.readBigUInt64LE(at))

/** `count` positions from `from` on. @param {number} from @param {number} count @param {number} size */
const table = (from, count, size) => Array.from({ length: count }, (_, index) => from + index * size)

const elf = { dynamic: 6, dynsym: 11, needed: 1 }

/** @param {Buffer} bytes @returns {Library} */
function readElf(bytes) {
  const sections = table(wide(bytes, 0x28), bytes.readUInt16LE(0x3c), bytes.readUInt16LE(0x3a)).map((at) => ({
    type: bytes.readUInt32LE(at + 4),
    from: wide(bytes, at + 24),
    size: wide(bytes, at + 32),
    link: bytes.readUInt32LE(at + 40),
  }))
  /** Entries of the sections of a type, each with where its strings begin. @param {number} type @param {number} size */
  const entries = (type, size) =>
    sections
      .filter((section) => section.type === type)
      .flatMap((section) =>
        table(section.from, section.size / size, size).map((at) => ({
          at,
          strings: sections[section.link]?.from ?? 0,
        })),
      )
  return {
    format: 'ELF',
    machine: bytes.readUInt16LE(18),
    // Global or weak, and of a section.
    exports: entries(elf.dynsym, 24)
      .filter(({ at }) => bytes.readUInt8(at + 4) >> 4 !== 0 && bytes.readUInt16LE(at + 6) !== 0)
      .map(({ at, strings }) => text(bytes, strings + bytes.readUInt32LE(at))),
    needs: entries(elf.dynamic, 16)
      .filter(({ at }) => wide(bytes, at) === elf.needed)
      .map(({ at, strings }) => text(bytes, strings + wide(bytes, at + 8))),
    oldest: null,
  }
}

const machO = { symbols: 0x2, loads: [0xc, 0x80000018, 0x8000001f, 0x20], oldest: 0x24, build: 0x32 }

/** @param {Buffer} bytes @returns {Library} */
function readMachO(bytes) {
  /** @type {Library} */
  const library = {
    format: 'Mach-O',
    machine: bytes.readUInt32LE(4),
    exports: [],
    needs: [],
    oldest: null,
  }
  let at = 32
  for (let left = bytes.readUInt32LE(16); left > 0; left--) {
    const command = bytes.readUInt32LE(at)
    /** @param {number} index A field behind the command and its size. */
    const field = (index) => bytes.readUInt32LE(at + 8 + 4 * index)
    if (machO.loads.includes(command)) library.needs.push(text(bytes, at + field(0)))
    if (command === machO.oldest || command === machO.build) {
      const version = field(command === machO.build ? 1 : 0)
      library.oldest = `${version >>> 16}.${(version >>> 8) & 0xff}`
    }
    if (command === machO.symbols)
      // External, neither undefined nor of the debugger; C's names have an underscore before them.
      library.exports = table(field(0), field(1), 16)
        .filter((symbol) => {
          const type = bytes.readUInt8(symbol + 4)
          return (type & 0xe0) === 0 && (type & 0x0e) !== 0 && (type & 1) === 1
        })
        .map((symbol) => text(bytes, field(2) + bytes.readUInt32LE(symbol)).replace(/^_/, ''))
    at += bytes.readUInt32LE(at + 4)
  }
  return library
}

/** @param {Buffer} bytes @param {number} header @returns {Library} */
function readPe(bytes, header) {
  const optional = header + 24
  const sections = table(optional + bytes.readUInt16LE(header + 20), bytes.readUInt16LE(header + 6), 40).map(
    (at) => ({
      size: Math.max(bytes.readUInt32LE(at + 8), bytes.readUInt32LE(at + 16)),
      address: bytes.readUInt32LE(at + 12),
      from: bytes.readUInt32LE(at + 20),
    }),
  )
  /** Where the bytes of an address in memory lie. @param {number} address */
  const at = (address) => {
    const section = sections.find((one) => address >= one.address && address < one.address + one.size)
    if (section === undefined) throw new RangeError(`no section has the address ${address}`)
    return address - section.address + section.from
  }
  /** @param {number} address Where the address of a name lies. */
  const nameAt = (address) => text(bytes, at(bytes.readUInt32LE(address)))
  /** Addresses of the tables of exports, imports and imports that are loaded at their first call. @param {number} index */
  const directory = (index) => bytes.readUInt32LE(optional + 112 + 8 * index)
  /** @type {string[]} */
  let exports = []
  if (directory(0) !== 0) {
    const own = at(directory(0))
    const count = bytes.readUInt32LE(own + 24)
    exports = table(count > 0 ? at(bytes.readUInt32LE(own + 32)) : 0, count, 4).map(nameAt)
  }
  /** @type {string[]} */
  const needs = []
  for (const [index, size, name] of /** @type {const} */ ([
    [1, 20, 12],
    [13, 32, 4],
  ])) {
    if (directory(index) === 0) continue
    for (let entry = at(directory(index)); bytes.readUInt32LE(entry + name) !== 0; entry += size)
      needs.push(nameAt(entry + name))
  }
  return { format: 'PE', machine: bytes.readUInt16LE(header + 4), exports, needs, oldest: null }
}

/** Null for other files, and for those that end too early. @param {Buffer} bytes @returns {Library | null} */
export function readLibrary(bytes) {
  try {
    if (bytes.readUInt32BE(0) === 0x7f454c46) return readElf(bytes)
    if (bytes.readUInt32LE(0) === 0xfeedfacf) return readMachO(bytes)
    if (bytes.toString('latin1', 0, 2) !== 'MZ') return null
    const header = bytes.readUInt32LE(0x3c)
    return bytes.toString('latin1', header, header + 4) === 'PE\0\0' ? readPe(bytes, header) : null
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}
