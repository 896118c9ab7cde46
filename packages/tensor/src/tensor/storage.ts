import type { Backend, Buf } from '../backend.js'
import { IftError } from '../errors.js'

/**
 * One buffer and how many tensors, tape nodes and gradients hold it; freed with the last. Everything that ift
 * allocates on a device passes through this class.
 */
export class Storage {
  refs = 1
  /** Stands for zeros that no kernel has written yet: an operation that overwrites them pays nothing. */
  zero = false
  /** Known to hold the single f32 1 that `backward` starts from. */
  one = false
  /** Held by a tape node as a gradient, which frees it. */
  given = false
  readonly #buf: Buf

  constructor(
    readonly backend: Backend,
    buf: Buf,
    readonly bytes: number,
    /** Mapped from a file: never written. */
    readonly readOnly = false,
    /** The storage whose bytes this one shares. */
    readonly base: Storage | null = null,
  ) {
    this.#buf = buf
  }

  /** Memory on the device; `what` names it in the error of a device that has no more. */
  static alloc(backend: Backend, bytes: number, what?: () => string): Storage {
    try {
      return new Storage(backend, backend.alloc(bytes), bytes)
    } catch (error) {
      if (what === undefined || !(error instanceof IftError) || error.code !== 'IFT_OUT_OF_MEMORY')
        throw error
      throw new IftError(error.code, `${what()}: ${error.message}`, error.hint, { cause: error })
    }
  }

  /** A storage over part of this one, which it keeps alive. */
  view(byteOffset: number, bytes: number): Storage {
    const buf = this.backend.view(this.buf, byteOffset, bytes)
    this.refs++
    return new Storage(this.backend, buf, bytes, this.readOnly, this)
  }

  get buf(): Buf {
    if (this.zero) this.materialize()
    return this.#buf
  }

  /** Writes the zeros it stands for. */
  materialize(): void {
    if (!this.zero) return
    this.zero = false
    if (this.bytes % 4 === 0) this.backend.fill(this.#buf, 0, this.bytes / 4, 'i32')
    else this.backend.fill(this.#buf, 0, this.bytes, 'u8')
  }

  /** The buffer for a kernel that writes all of it. */
  overwrite(): Buf {
    this.zero = false
    this.one = false
    return this.#buf
  }

  /** Whether its only holder may write into it. */
  get exclusive(): boolean {
    return this.refs === 1 && !this.readOnly && this.base === null
  }

  retain(): this {
    this.refs++
    return this
  }

  release(): void {
    if (--this.refs === 0) {
      this.backend.free(this.#buf)
      this.base?.release()
    }
  }
}
