import { closeSync, openSync, readSync } from 'node:fs'
import type { Buf, MemoryInfo } from '../backend.js'
import { itemSize, type DType, type FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import { fromBf16Bits, fromF16Bits, toBf16Bits, toF16Bits } from '../tensor/float16.js'

/** Bytes that one or more buffers share. */
interface Block {
  readonly bytes: Uint8Array
  /** In exact mode, the f32 elements as float64, one per four bytes. */
  exact: Float64Array | null
  readonly mapped: boolean
  holders: number
}

interface Handle {
  readonly block: Block
  readonly offset: number
  readonly length: number
}

/**
 * Buffers of the reference backend. Kernels read elements as float64 and write float64 back, rounded to the dtype; every
 * access is checked. In exact mode f32 elements keep their float64 values, for finite differences.
 */
export class Memory {
  readonly #handles = new Map<number, Handle>()
  readonly #exact: boolean
  #next = 1
  #allocated = 0
  #peak = 0
  #mapped = 0
  #closed = false
  /** First error of a kernel that a device would only have found later; `read` and `synchronize` reject with it. */
  #failed: IftError | null = null

  constructor(exact: boolean) {
    this.#exact = exact
  }

  alloc(bytes: number): Buf {
    this.#open()
    if (!(bytes >= 0) || !Number.isSafeInteger(bytes)) {
      throw new IftError('IFT_ARGUMENT', `alloc: bytes expected a non-negative integer, found ${bytes}`)
    }
    let data: Uint8Array
    try {
      data = new Uint8Array(bytes)
    } catch (error) {
      throw new IftError('IFT_OUT_OF_MEMORY', `alloc: ${bytes} bytes are not to be had`, undefined, {
        cause: error,
      })
    }
    this.#allocated += bytes
    this.#peak = Math.max(this.#peak, this.#allocated)
    // Elements that a kernel did not write must not look like zeros.
    data.fill(0xc5)
    return this.#add({
      block: { bytes: data, exact: null, mapped: false, holders: 0 },
      offset: 0,
      length: bytes,
    })
  }

  view(base: Buf, byteOffset: number, bytes: number): Buf {
    const handle = this.#handle(base, 'view', 'base')
    if (!(byteOffset >= 0 && bytes >= 0 && byteOffset + bytes <= handle.length)) {
      throw new IftError(
        'IFT_BUFFER_BOUNDS',
        `view: bytes ${byteOffset} to ${byteOffset + bytes} of a buffer of ${handle.length}`,
      )
    }
    return this.#add({ block: handle.block, offset: handle.offset + byteOffset, length: bytes })
  }

  mapFile(path: string, offset: number, bytes: number): Buf {
    this.#open()
    const data = new Uint8Array(bytes)
    let file: number | undefined
    let read = 0
    try {
      file = openSync(path, 'r')
      for (let n = 1; n > 0 && read < bytes; read += n)
        n = readSync(file, data, read, bytes - read, offset + read)
    } catch (error) {
      throw new IftError('IFT_FILE_UNREADABLE', `mapFile: ${path} cannot be read`, undefined, {
        cause: error,
      })
    } finally {
      if (file !== undefined) closeSync(file)
    }
    if (read < bytes) {
      throw new IftError(
        'IFT_FILE_UNREADABLE',
        `mapFile: ${path} ends at byte ${offset + read}, expected ${offset + bytes}`,
      )
    }
    this.#mapped += bytes
    return this.#add({
      block: { bytes: data, exact: null, mapped: true, holders: 0 },
      offset: 0,
      length: bytes,
    })
  }

  free(buf: Buf): void {
    if (this.#closed) return
    const handle = this.#handle(buf, 'free', 'buf')
    this.#handles.delete(buf)
    const { block } = handle
    if (--block.holders > 0) return
    if (block.mapped) this.#mapped -= block.bytes.length
    else this.#allocated -= block.bytes.length
  }

  write(dst: Buf, src: ArrayBufferView, byteOffset: number): void {
    const handle = this.#handle(dst, 'write', 'dst')
    this.#writable(handle, 'write', 'dst')
    const exact = this.#exact && src instanceof Float64Array
    const length = exact ? src.length * 4 : src.byteLength
    if (!(byteOffset >= 0 && byteOffset + length <= handle.length)) {
      throw new IftError(
        'IFT_BUFFER_BOUNDS',
        `write: bytes ${byteOffset} to ${byteOffset + length} of a buffer of ${handle.length}`,
      )
    }
    const { block } = handle
    const at = handle.offset + byteOffset
    const floats = exact ? Float32Array.from(src) : src
    block.bytes.set(new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength), at)
    if (exact && at % 4 === 0) this.#exactOf(block).set(src, at / 4)
    else if (block.exact !== null) refresh(block, at, length)
  }

  read(src: Buf, dst: ArrayBufferView, byteOffset: number): void {
    const handle = this.#handle(src, 'read', 'src')
    const exact = this.#exact && dst instanceof Float64Array
    const length = exact ? dst.length * 4 : dst.byteLength
    if (!(byteOffset >= 0 && byteOffset + length <= handle.length)) {
      throw new IftError(
        'IFT_BUFFER_BOUNDS',
        `read: bytes ${byteOffset} to ${byteOffset + length} of a buffer of ${handle.length}`,
      )
    }
    this.settle()
    const { block } = handle
    const at = handle.offset + byteOffset
    if (exact) dst.set(this.#exactOf(block).subarray(at / 4, at / 4 + dst.length))
    else new Uint8Array(dst.buffer, dst.byteOffset, length).set(block.bytes.subarray(at, at + length))
  }

  /** Throws the first late error, once. */
  settle(): void {
    this.#open()
    const failed = this.#failed
    this.#failed = null
    if (failed !== null) throw failed
  }

  /** Notes an error that a device finds while it runs. */
  fail(error: IftError): void {
    this.#failed ??= error
  }

  info(): MemoryInfo {
    return {
      allocated: this.#allocated,
      peak: this.#peak,
      reserved: this.#allocated,
      mapped: this.#mapped,
      buffers: this.#handles.size,
    }
  }

  resetPeak(): void {
    this.#peak = this.#allocated
  }

  close(): void {
    this.#closed = true
    this.#handles.clear()
    this.#allocated = 0
    this.#mapped = 0
  }

  /** n float elements as float64: a copy, so that an output may be an input. */
  floats(buf: Buf, n: number, dtype: FloatDType, kernel: string, argument: string): Float64Array {
    const { block, offset } = this.#checked(buf, n, dtype, kernel, argument)
    if (dtype === 'f32') {
      if (block.exact !== null) return block.exact.slice(offset / 4, offset / 4 + n)
      return new Float64Array(new Float32Array(block.bytes.buffer, offset, n))
    }
    const value = dtype === 'bf16' ? fromBf16Bits : fromF16Bits
    const bits = new Uint16Array(block.bytes.buffer, offset, n)
    const values = new Float64Array(n)
    for (let i = 0; i < n; i++) values[i] = value(bits[i]!)
    return values
  }

  ints(buf: Buf, n: number, kernel: string, argument: string): Int32Array {
    const { block, offset } = this.#checked(buf, n, 'i32', kernel, argument)
    return new Int32Array(block.bytes.buffer, offset, n).slice()
  }

  bytes(buf: Buf, n: number, kernel: string, argument: string): Uint8Array {
    const { block, offset } = this.#checked(buf, n, 'u8', kernel, argument)
    return block.bytes.slice(offset, offset + n)
  }

  /** Refuses a buffer that a kernel could not write n elements to. */
  expect(buf: Buf, n: number, dtype: DType, kernel: string, argument: string): void {
    this.#writable(this.#checked(buf, n, dtype, kernel, argument), kernel, argument)
  }

  /** Writes float64 values, rounded to dtype. */
  store(buf: Buf, values: Float64Array, dtype: FloatDType, kernel: string, argument: string): void {
    const handle = this.#checked(buf, values.length, dtype, kernel, argument)
    this.#writable(handle, kernel, argument)
    const { block, offset } = handle
    const n = values.length
    if (dtype === 'f32') {
      new Float32Array(block.bytes.buffer, offset, n).set(values)
      if (this.#exact) this.#exactOf(block).set(values, offset / 4)
      return
    }
    const bitsOf = dtype === 'bf16' ? toBf16Bits : toF16Bits
    const bits = new Uint16Array(block.bytes.buffer, offset, n)
    for (let i = 0; i < n; i++) bits[i] = bitsOf(values[i]!)
    if (block.exact !== null) refresh(block, offset, n * 2)
  }

  storeInts(buf: Buf, values: Int32Array, kernel: string, argument: string): void {
    const handle = this.#checked(buf, values.length, 'i32', kernel, argument)
    this.#writable(handle, kernel, argument)
    new Int32Array(handle.block.bytes.buffer, handle.offset, values.length).set(values)
    if (handle.block.exact !== null) refresh(handle.block, handle.offset, values.length * 4)
  }

  storeBytes(buf: Buf, values: Uint8Array, kernel: string, argument: string): void {
    const n = values.length
    const handle = this.#checked(buf, n, 'u8', kernel, argument)
    this.#writable(handle, kernel, argument)
    handle.block.bytes.set(values, handle.offset)
    if (handle.block.exact !== null) refresh(handle.block, handle.offset, n)
  }

  #exactOf(block: Block): Float64Array {
    if (block.exact === null) {
      block.exact = new Float64Array(Math.floor(block.bytes.length / 4))
      refresh(block, 0, block.bytes.length)
    }
    return block.exact
  }

  #add(handle: Handle): Buf {
    handle.block.holders++
    this.#handles.set(this.#next, handle)
    return this.#next++ as Buf
  }

  #open(): void {
    if (this.#closed) throw new IftError('IFT_BACKEND_CLOSED', 'the reference backend was closed')
  }

  #handle(buf: Buf, kernel: string, argument: string): Handle {
    this.#open()
    const handle = this.#handles.get(buf)
    if (handle === undefined) {
      throw new IftError(
        'IFT_BUFFER_INVALID',
        `${kernel}: ${argument} is buffer ${buf}, which was freed or never made`,
      )
    }
    return handle
  }

  #checked(buf: Buf, n: number, dtype: DType, kernel: string, argument: string): Handle {
    const handle = this.#handle(buf, kernel, argument)
    if (!(n >= 0) || !Number.isSafeInteger(n)) {
      throw new IftError(
        'IFT_ARGUMENT',
        `${kernel}: ${argument} expected a non-negative number of elements, found ${n}`,
      )
    }
    const bytes = n * itemSize(dtype)
    if (bytes > handle.length) {
      throw new IftError(
        'IFT_BUFFER_BOUNDS',
        `${kernel}: ${argument} expected ${bytes} bytes (${n} elements of ${dtype}), found ${handle.length}`,
      )
    }
    if (handle.offset % itemSize(dtype) !== 0) {
      throw new IftError('IFT_BUFFER_BOUNDS', `${kernel}: ${argument} is not aligned to ${dtype}`)
    }
    return handle
  }

  #writable(handle: Handle, kernel: string, argument: string): void {
    if (handle.block.mapped) {
      throw new IftError('IFT_BUFFER_BOUNDS', `${kernel}: ${argument} is mapped from a file and read-only`)
    }
  }
}

/** Takes float64 values anew from the bytes of part of a block. */
function refresh(block: Block, offset: number, bytes: number): void {
  const from = Math.floor(offset / 4)
  const to = Math.min(Math.ceil((offset + bytes) / 4), Math.floor(block.bytes.length / 4))
  if (to > from) block.exact!.set(new Float32Array(block.bytes.buffer, from * 4, to - from), from)
}
