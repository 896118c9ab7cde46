import { mostZstdWindow } from '../../files/bounds.js'
import { corrupt, unsupported } from '../../files/errors.js'

/** Whole blocks, with the headers and checksums of frames around them. */
export interface ZstdPiece {
  readonly bytes: Uint8Array
  /** Bytes of the windows that decompressing it writes: the whole window for each block, and for each frame. */
  readonly work: number
}

const magic = 0xfd2fb528
/** 0x184d2a50 to 0x184d2a5f begin a frame to be skipped. */
const skippable = 0x184d2a5
/** Units handed on at a time; a block makes at most `mostBlock` bytes. */
const atOnce = 64
const mostBlock = 128 << 10

const hint = 'Fetch or compress the file again; it may have been cut off.'

/**
 * A zstd stream (RFC 8878), cut where blocks end, a few blocks at a time: a megabyte of it may hold blocks that make 30 GB, and who
 * decompresses piece by piece never has more than 8 MB of them. A frame that looks back further than the zstd program lets it is
 * `IFT_FILE_UNSUPPORTED`.
 */
export async function* zstdBlocks(path: string, input: AsyncIterable<Uint8Array>): AsyncGenerator<ZstdPiece> {
  const frames = new Frames(path)
  let rest: Uint8Array = new Uint8Array(0)
  for await (const chunk of input) {
    const bytes: Uint8Array = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let [start, at, units, work] = [0, 0, 0, 0]
    for (let unit = frames.next(bytes, at); unit !== null; unit = frames.next(bytes, at)) {
      at += unit.length
      work += unit.work
      if (++units < atOnce) continue
      yield { bytes: bytes.subarray(start, at), work }
      ;[start, units, work] = [at, 0, 0]
    }
    if (at > start) yield { bytes: bytes.subarray(start, at), work }
    rest = bytes.slice(at)
  }
  // Cut short, which who decompresses says.
  if (rest.length > 0) yield { bytes: rest, work: 0 }
}

interface Unit {
  readonly length: number
  readonly work: number
}

/** Where the units of a stream end: headers of frames, blocks, checksums, parts of frames to be skipped. */
class Frames {
  readonly #path: string
  #next: 'frame' | 'block' | 'checksum' = 'frame'
  #skip = 0
  #window = 0
  #hasChecksum = false

  constructor(path: string) {
    this.#path = path
  }

  /** The unit at `at`, or null when the bytes end before it does. */
  next(bytes: Uint8Array, at: number): Unit | null {
    const left = bytes.length - at
    if (left === 0) return null
    if (this.#skip > 0) {
      const length = Math.min(this.#skip, left)
      this.#skip -= length
      return { length, work: 0 }
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, left)
    if (this.#next === 'block') return this.#block(view)
    if (this.#next === 'frame') return this.#frame(view)
    if (left < 4) return null
    this.#next = 'frame'
    return { length: 4, work: 0 }
  }

  #frame(view: DataView): Unit | null {
    const left = view.byteLength
    if (left < 8) return null
    const number = view.getUint32(0, true)
    if (number >>> 4 === skippable) {
      this.#skip = view.getUint32(4, true)
      return { length: 8, work: 0 }
    }
    if (number !== magic)
      throw corrupt(this.#path, 'broken zstd data: no frame begins where one should', hint)
    const descriptor = view.getUint8(4)
    const isSingle = (descriptor & 0x20) !== 0
    const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!
    const length = 5 + (isSingle ? 0 : 1) + [0, 1, 2, 4][descriptor & 3]! + sizeBytes
    if (left < length) return null
    this.#window = isSingle ? contentSize(view, length - sizeBytes, sizeBytes) : windowSize(view.getUint8(5))
    if (this.#window > mostZstdWindow)
      throw unsupported(
        this.#path,
        `a frame of its zstd data needs a window of ${this.#window} bytes, more than ${mostZstdWindow}`,
        'Compress the file again, as a stream of an ordinary level: zstd -9 < FILE > FILE.zst',
      )
    this.#hasChecksum = (descriptor & 4) !== 0
    this.#next = 'block'
    return { length, work: this.#window }
  }

  #block(view: DataView): Unit | null {
    if (view.byteLength < 3) return null
    const header = view.getUint8(0) | (view.getUint16(1, true) << 8)
    const size = header >> 3
    if (size > mostBlock)
      throw corrupt(this.#path, `broken zstd data: a block of ${size} bytes, more than ${mostBlock}`, hint)
    // A block of one repeated byte holds that byte alone.
    const length = 3 + (((header >> 1) & 3) === 1 ? 1 : size)
    if (view.byteLength < length) return null
    if ((header & 1) === 1) this.#next = this.#hasChecksum ? 'checksum' : 'frame'
    return { length, work: this.#window }
  }
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3))
  return base + (base / 8) * (descriptor & 7)
}

const contentSize = (view: DataView, at: number, bytes: number): number =>
  bytes === 1
    ? view.getUint8(at)
    : bytes === 2
      ? view.getUint16(at, true) + 256
      : bytes === 4
        ? view.getUint32(at, true)
        : view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32
