import type { Backend, Buf } from '../backend.js'
import { itemSize, type DType } from '../dtype.js'
import { IftError } from '../errors.js'
import { fromBf16Bits, fromF16Bits } from './float16.js'
import type { Recomputed, Saved } from './saved.js'
import { track, type Owned } from './lifetime.js'
import { Storage } from './storage.js'
import { record, scratch, type GradNode } from './tape.js'

/** `f32 [2, 3]`, the way errors name a tensor. */
export const describe = (t: { readonly dtype: DType; readonly shape: readonly number[] }): string =>
  `${t.dtype} [${t.shape.join(', ')}]`

/** Number of elements of a shape; `IFT_SHAPE` unless every dimension is a positive integer. */
export function sizeOf(shape: readonly number[], op: string): number {
  let size = 1
  for (let i = 0; i < shape.length; i++) {
    const d = shape[i]!
    if (!(d >= 1) || !Number.isSafeInteger(d)) {
      throw new IftError('IFT_SHAPE', `${op}: dimensions are positive integers, found [${shape.join(', ')}]`)
    }
    size *= d
  }
  return size
}

/**
 * A contiguous row-major array on a device. It never changes its shape or dtype, and is released by the scope it was
 * made in, or by its owner. Operations are functions of `ops`, not methods.
 */
export class Tensor implements Owned {
  readonly shape: readonly number[]
  readonly dtype: DType
  /** Elements. */
  readonly size: number
  /** @internal Where its gradient goes; null when it needs none. */
  node: GradNode | null = null
  /** @internal How the backward may compute its values again, instead of keeping them; it holds one reference. */
  recomputed: Recomputed | null = null
  /** @internal */
  state: Owned['state'] = 'owned'
  readonly #storage: Storage
  #holds = 0
  #releaseWanted = false

  /** @internal Takes over one reference to `storage`. */
  constructor(storage: Storage, shape: readonly number[], dtype: DType, size: number) {
    this.#storage = storage
    this.shape = shape
    this.dtype = dtype
    this.size = size
    track(this)
  }

  get backend(): Backend {
    return this.#storage.backend
  }

  /** Whether `backward` of something computed from it would compute its gradient. */
  get requiresGrad(): boolean {
    return this.node !== null
  }

  /** @internal */
  get storage(): Storage {
    if (this.state === 'released') throw released(this)
    return this.#storage
  }

  /** @internal What a gradient that reads this tensor saves. */
  get saved(): Saved {
    const storage = this.storage
    return this.recomputed ?? storage
  }

  /** The device buffer. Throws `IFT_TENSOR_RELEASED`. */
  get buf(): Buf {
    return this.storage.buf
  }

  get bytes(): number {
    return this.size * itemSize(this.dtype)
  }

  /** Length of dimension `i`; negative counts from the end. */
  dim(i: number): number {
    const d = this.shape[i < 0 ? this.shape.length + i : i]
    if (d === undefined) throw new IftError('IFT_SHAPE', `dim(${i}): ${describe(this)} has no such dimension`)
    return d
  }

  /** The same elements under another shape, sharing storage and gradient; one dimension may be -1. */
  reshape(...shape: number[]): Tensor {
    const unknown = shape.indexOf(-1)
    if (unknown >= 0) {
      let known = 1
      for (let i = 0; i < shape.length; i++) if (i !== unknown) known *= shape[i]!
      shape[unknown] = this.size / known
    }
    if (sizeOf(shape, 'reshape') !== this.size) {
      throw new IftError(
        'IFT_SHAPE',
        `reshape: expected ${this.size} elements, as in ${describe(this)}, found [${shape.join(', ')}]`,
      )
    }
    return this.#share(shape)
  }

  /** Another owner of the same elements and gradient. */
  alias(): Tensor {
    return this.#share(this.shape)
  }

  /** Rows `start` up to `end` of the first dimension: a view of the same storage. Differentiable. */
  rows(start: number, end: number): Tensor {
    const total = this.dim(0)
    if (!(start >= 0 && start < end && end <= total) || !Number.isInteger(start) || !Number.isInteger(end)) {
      throw new IftError('IFT_SHAPE', `rows: expected 0 <= start < end <= ${total}, found ${start}, ${end}`)
    }
    const cols = this.size / total
    const item = itemSize(this.dtype)
    const count = end - start
    const shape = this.shape.slice()
    shape[0] = count
    const size = count * cols
    const y = new Tensor(this.storage.view(start * cols * item, size * item), shape, this.dtype, size)
    const input = this.node
    const node = record('rows', y, input)
    if (node !== null && input !== null) {
      node.run = (dy) => {
        const backend = node.backend
        let g = dy
        if (input.dtype !== node.dtype) {
          g = scratch(backend, size, input.dtype)
          backend.cast(g.overwrite(), dy.buf, size, input.dtype, node.dtype)
        }
        backend.copy2d(input.openToAdd().buf, start * cols, size, g.buf, 0, size, 1, size, input.dtype, 1)
        if (g !== dy) g.release()
      }
    }
    return y
  }

  #share(shape: readonly number[]): Tensor {
    const t = new Tensor(this.storage.retain(), shape, this.dtype, this.size)
    if (this.node !== null) {
      this.node.refs++
      t.node = this.node
    }
    if (this.recomputed !== null) {
      this.recomputed.refs++
      t.recomputed = this.recomputed
    }
    return t
  }

  /** Gives up this tensor; the storage goes with its last owner. A second call does nothing. */
  release(): void {
    if (this.state === 'released') return
    if (this.#holds > 0) {
      this.#releaseWanted = true
      this.state = 'owned'
      return
    }
    this.state = 'released'
    this.#storage.release()
    this.node?.unref()
    this.node = null
    this.recomputed?.release()
    this.recomputed = null
  }

  /** @internal Puts off `release` until `unhold`: for tensors that a recomputation reads again. */
  hold(): void {
    this.#holds++
  }

  /** @internal */
  unhold(): void {
    if (--this.#holds === 0 && this.#releaseWanted) this.release()
  }

  /** @internal Whether a later read is expected. */
  get held(): boolean {
    return this.#holds > 0
  }

  /** Values of a float tensor, after everything queued so far. */
  async read(): Promise<Float32Array> {
    if (this.dtype === 'f32') {
      const values = new Float32Array(this.size)
      await this.backend.read(this.buf, values)
      return values
    }
    if (this.dtype !== 'bf16' && this.dtype !== 'f16') {
      throw new IftError(
        'IFT_DTYPE',
        `read: expected a float tensor, found ${describe(this)}`,
        'Use readInts or readBytes.',
      )
    }
    const value = this.dtype === 'bf16' ? fromBf16Bits : fromF16Bits
    const bits = new Uint16Array(this.size)
    await this.backend.read(this.buf, bits)
    const values = new Float32Array(this.size)
    for (let i = 0; i < bits.length; i++) values[i] = value(bits[i]!)
    return values
  }

  /** Values of an i32 tensor. */
  async readInts(): Promise<Int32Array> {
    if (this.dtype !== 'i32')
      throw new IftError('IFT_DTYPE', `readInts: expected i32, found ${describe(this)}`)
    const values = new Int32Array(this.size)
    await this.backend.read(this.buf, values)
    return values
  }

  /** The elements as they lie in memory, little-endian. */
  async readBytes(): Promise<Uint8Array> {
    const values = new Uint8Array(this.bytes)
    await this.backend.read(this.buf, values)
    return values
  }
}

const released = (t: Tensor) =>
  new IftError(
    'IFT_TENSOR_RELEASED',
    `tensor ${describe(t)} was released: its scope ended, or it was given away as addTo`,
    'Return it from the scope, call keep(t) in the scope that made it, or pass t.alias() as addTo.',
  )

const allocated = (backend: Backend, size: number, shape: readonly number[], dtype: DType) =>
  Storage.alloc(backend, size * itemSize(dtype), () => `a tensor [${shape.join(', ')}] in ${dtype}`)

/** A tensor with memory of its own and arbitrary contents. */
export function empty(backend: Backend, shape: readonly number[], dtype: DType): Tensor {
  const size = sizeOf(shape, 'empty')
  return new Tensor(allocated(backend, size, shape, dtype), shape, dtype, size)
}

/** An uninitialised tensor like `t`, in its dtype or another. */
export function emptyLike(t: Tensor, dtype: DType = t.dtype): Tensor {
  return new Tensor(allocated(t.backend, t.size, t.shape, dtype), t.shape, dtype, t.size)
}
