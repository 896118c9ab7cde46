import type { Backend, QuantizedMatrix } from '../backend.js'
import { asFloat, type FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import { quantizedSizes, type QuantFormat } from '../quantization.js'
import { keep } from './scope.js'
import { Storage } from './storage.js'
import { describe, empty, type Tensor } from './tensor.js'

/**
 * A frozen weight [rows, cols] in few bits (`QuantizedMatrix`). It owns its buffers until `release`; `ops.linear` and
 * `ops.lowRankLinear` multiply by it, and everything else works with what `dequantize` gives.
 */
export class QuantizedTensor {
  readonly shape: readonly [rows: number, cols: number]
  readonly format: QuantFormat
  readonly backend: Backend
  /** Of all its buffers. */
  readonly bytes: number
  /** @internal */
  readonly storages: readonly Storage[]
  /** @internal What kernels take. */
  readonly matrix: QuantizedMatrix
  #released = false

  private constructor(backend: Backend, format: QuantFormat, rows: number, cols: number) {
    const sizes = quantizedSizes(format, rows, cols)
    this.shape = [rows, cols]
    this.format = format
    this.backend = backend
    this.bytes = sizes.bytes
    const storages: Storage[] = []
    try {
      storages.push(Storage.alloc(backend, sizes.codes))
      storages.push(Storage.alloc(backend, sizes.scales * (format === 'nf4' ? 1 : 4)))
      if (sizes.groups > 0) storages.push(Storage.alloc(backend, sizes.groups * 4))
    } catch (error) {
      for (const storage of storages) storage.release()
      throw error
    }
    this.storages = storages
    const [codes, scales, groups] = storages
    this.matrix = { format, rows, cols, codes: codes!.buf, scales: scales!.buf, groups: groups?.buf ?? null }
  }

  /** `t` [rows, cols], a float tensor, in the format; `t` stays as it is. */
  static from(t: Tensor, format: QuantFormat): QuantizedTensor {
    const [rows, cols] = t.shape
    if (rows === undefined || cols === undefined || t.shape.length !== 2) {
      throw new IftError('IFT_SHAPE', `a quantised tensor expected [rows, cols], found ${describe(t)}`)
    }
    const dtype = asFloat(t.dtype, 'quantize')
    const made = new QuantizedTensor(t.backend, format, rows, cols)
    try {
      t.backend.quantize(made.matrix, t.buf, dtype)
    } catch (error) {
      made.release()
      throw error
    }
    return made
  }

  /** The values as a new tensor. */
  dequantize(dtype: FloatDType): Tensor {
    const y = empty(this.backend, this.shape, dtype)
    this.backend.dequantize(y.storage.overwrite(), this.matrix, dtype)
    return y
  }

  /** `dequantize`, read by the host, with nothing left on the device. */
  async read(): Promise<Float32Array> {
    const values = keep(this.dequantize('f32'))
    try {
      return await values.read()
    } finally {
      values.release()
    }
  }

  /** Gives up the buffers; a second call does nothing. */
  release(): void {
    if (this.#released) return
    this.#released = true
    for (const storage of this.storages) storage.release()
  }
}
