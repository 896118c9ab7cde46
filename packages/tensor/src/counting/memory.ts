import type { Buf, MemoryInfo } from '../backend.js'
import { IftError } from '../errors.js'

/** Bytes that one or more buffers share; they exist as a number alone. */
interface Block {
  readonly bytes: number
  /** What the device takes for them. */
  readonly size: number
  readonly mapped: boolean
  holders: number
}

interface Handle {
  readonly block: Block
  readonly bytes: number
}

/** Buffers without contents, counted as the arenas of kernels-cpu and kernels-cuda count theirs: by the bytes asked for. */
export class CountedMemory {
  readonly #handles = new Map<number, Handle>()
  #next = 1
  #allocated = 0
  #peak = 0
  #taken = 0
  #reserved = 0
  #mapped = 0

  constructor(private readonly blockOf: (bytes: number) => number) {}

  alloc(bytes: number, mapped = false): Buf {
    if (!(bytes >= 0) || !Number.isSafeInteger(bytes))
      throw new IftError('IFT_ARGUMENT', `alloc: bytes expected a non-negative integer, found ${bytes}`)
    const size = mapped ? 0 : this.blockOf(bytes)
    if (mapped) this.#mapped += bytes
    else {
      this.#allocated += bytes
      this.#taken += size
      this.through(0)
    }
    return this.#add({ bytes, size, mapped, holders: 0 }, bytes)
  }

  view(base: Buf, byteOffset: number, bytes: number): Buf {
    const { block, bytes: length } = this.#handle(base, 'view')
    if (!(byteOffset >= 0 && bytes >= 0 && byteOffset + bytes <= length))
      throw new IftError(
        'IFT_BUFFER_BOUNDS',
        `view: bytes ${byteOffset} to ${byteOffset + bytes} of a buffer of ${length}`,
      )
    return this.#add(block, bytes)
  }

  free(buf: Buf): void {
    const { block } = this.#handle(buf, 'free')
    this.#handles.delete(buf)
    if (--block.holders > 0) return
    this.#taken -= block.size
    if (block.mapped) this.#mapped -= block.bytes
    else this.#allocated -= block.bytes
  }

  /** Bytes that a kernel takes besides its arguments, and gives back with its call. */
  through(bytes: number): void {
    this.#peak = Math.max(this.#peak, this.#allocated + bytes)
    this.#reserved = Math.max(this.#reserved, this.#taken + bytes)
  }

  info(): MemoryInfo {
    return {
      allocated: this.#allocated,
      peak: this.#peak,
      reserved: this.#reserved,
      mapped: this.#mapped,
      buffers: this.#handles.size,
    }
  }

  resetPeak(): void {
    this.#peak = this.#allocated
    this.#reserved = this.#taken
  }

  close(): void {
    this.#handles.clear()
    this.#allocated = 0
    this.#taken = 0
    this.#mapped = 0
  }

  #add(block: Block, bytes: number): Buf {
    block.holders++
    this.#handles.set(this.#next, { block, bytes })
    return this.#next++ as Buf
  }

  #handle(buf: Buf, call: string): Handle {
    const handle = this.#handles.get(buf)
    if (handle !== undefined) return handle
    throw new IftError('IFT_BUFFER_INVALID', `${call}: buffer ${buf} was freed or never made`)
  }
}
