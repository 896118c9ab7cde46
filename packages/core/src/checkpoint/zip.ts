import { mostZipDirectoryBytes, mostZipEntries } from '../files/bounds.js'
import { corrupt, unsupported } from '../files/errors.js'
import { fileSize, readBytes, withFile, type Read } from '../files/read-bytes.js'

/** A file inside a zip archive. */
export interface ZipEntry {
  readonly name: string
  /** First byte of its content in the archive. */
  readonly offset: number
  readonly bytes: number
}

const endSignature = 0x06054b50
const end64Signature = 0x06064b50
const locator64Signature = 0x07064b50
const centralSignature = 0x02014b50
const localSignature = 0x04034b50
const endBytes = 22
/** Longest comment that may follow the end record. */
const mostComment = 65535

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** A 64-bit number; beyond 2^53 it is as good as any other that does not fit the file. */
const u64 = (view: DataView, at: number) => view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32

/**
 * Where the entries of a zip archive lie (APPNOTE 6.3.9, zip64 included). Only uncompressed entries are taken, which is how
 * PyTorch writes them, so that tensors can be mapped.
 */
export async function openZip(path: string): Promise<Map<string, ZipEntry>> {
  const size = await fileSize(path)
  const tailBytes = Math.min(size, endBytes + mostComment)
  const tailStart = size - tailBytes
  const tail = viewOf(await readBytes(path, tailStart, tailBytes))
  let at = tailBytes - endBytes
  while (
    at >= 0 &&
    !(
      tail.getUint32(at, true) === endSignature && at + endBytes + tail.getUint16(at + 20, true) === tailBytes
    )
  )
    at--
  if (at < 0) throw corrupt(path, 'has no end of a zip archive: it was cut short')
  let count = tail.getUint16(at + 10, true)
  let directoryBytes = tail.getUint32(at + 12, true)
  let directory = tail.getUint32(at + 16, true)
  if (count === 0xffff || directoryBytes === 0xffffffff || directory === 0xffffffff) {
    const locatorAt = tailStart + at - 20
    if (locatorAt < 0) throw corrupt(path, 'its zip64 locator is missing')
    const locator = viewOf(await readBytes(path, locatorAt, 20))
    if (locator.getUint32(0, true) === locator64Signature) {
      const recordAt = u64(locator, 8)
      if (recordAt + 56 > size)
        throw corrupt(path, `its zip64 record would start at byte ${recordAt} of ${size}`)
      const record = viewOf(await readBytes(path, recordAt, 56))
      if (record.getUint32(0, true) !== end64Signature) throw corrupt(path, 'its zip64 record is missing')
      count = u64(record, 32)
      directoryBytes = u64(record, 40)
      directory = u64(record, 48)
    }
  }
  if (directory + directoryBytes > size || directoryBytes > mostZipDirectoryBytes) {
    throw corrupt(
      path,
      `its zip directory would have bytes ${directory} to ${directory + directoryBytes} of ${size}`,
    )
  }
  if (count > mostZipEntries) throw corrupt(path, `would have ${count} entries, more than ${mostZipEntries}`)
  const central = viewOf(await readBytes(path, directory, directoryBytes))
  const entries = new Map<string, ZipEntry>()
  let next = 0
  await withFile(path, async (read) => {
    for (let i = 0; i < count; i++) {
      const entry = centralEntry(path, central, next)
      next = entry.next
      if (entries.has(entry.name)) throw corrupt(path, `has two entries named ${entry.name}`)
      const offset = await contentStart(path, size, read, entry)
      entries.set(entry.name, { name: entry.name, offset, bytes: entry.bytes })
    }
  })
  return entries
}

interface CentralEntry {
  readonly name: string
  readonly header: number
  readonly bytes: number
  readonly next: number
}

function centralEntry(path: string, view: DataView, at: number): CentralEntry {
  if (at + 46 > view.byteLength || view.getUint32(at, true) !== centralSignature) {
    throw corrupt(path, 'its zip directory is damaged')
  }
  const flags = view.getUint16(at + 8, true)
  const method = view.getUint16(at + 10, true)
  const compressed = view.getUint32(at + 20, true)
  let bytes = view.getUint32(at + 24, true)
  const nameBytes = view.getUint16(at + 28, true)
  const extraBytes = view.getUint16(at + 30, true)
  let header = view.getUint32(at + 42, true)
  const extra = at + 46 + nameBytes
  const next = extra + extraBytes + view.getUint16(at + 32, true)
  if (next > view.byteLength) throw corrupt(path, 'its zip directory is damaged')
  const name = Buffer.from(view.buffer, view.byteOffset + at + 46, nameBytes).toString('utf8')
  let stored = compressed
  for (let field = extra; field + 4 <= extra + extraBytes;) {
    const length = view.getUint16(field + 2, true)
    if (view.getUint16(field, true) === 1) {
      let value = field + 4
      const wide = () => {
        if (value + 8 > field + 4 + length || value + 8 > next)
          throw corrupt(path, `entry ${name}: its sizes are missing`)
        value += 8
        return u64(view, value - 8)
      }
      if (bytes === 0xffffffff) bytes = wide()
      if (stored === 0xffffffff) stored = wide()
      if (header === 0xffffffff) header = wide()
    }
    field += 4 + length
  }
  if ((flags & 1) !== 0 || method !== 0 || stored !== bytes) {
    throw unsupported(
      path,
      `entry ${name} is compressed or encrypted`,
      'Save it with torch.save, which stores tensors as they are.',
    )
  }
  return { name, header, bytes, next }
}

/** The content follows the local header, whose extra field has a length of its own. */
async function contentStart(
  path: string,
  size: number,
  read: Read,
  { name, header, bytes }: CentralEntry,
): Promise<number> {
  if (header + 30 > size) throw corrupt(path, `entry ${name} would start at byte ${header} of ${size}`)
  const local = viewOf(await read(header, 30))
  if (local.getUint32(0, true) !== localSignature) throw corrupt(path, `entry ${name} has no header`)
  const offset = header + 30 + local.getUint16(26, true) + local.getUint16(28, true)
  if (offset + bytes > size) {
    throw corrupt(path, `entry ${name} would end at byte ${offset + bytes}, the file has ${size}`)
  }
  return offset
}
