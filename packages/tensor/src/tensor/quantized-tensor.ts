import type { Backend, QuantizedMatrix } from '../backend.js'
import { asFloat, type FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import { quantizedSizes, type BlockFormat, type QuantFormat, type WeightFormat } from '../quantization.js'
import { keep } from './scope.js'
import { Storage } from './storage.js'
import { describe, empty, type Tensor } from './tensor.js'

/**
 * A frozen weight [rows, cols] in few bits (`QuantizedMatrix`). It owns its buffers until `release`; `ops.linear`,
 * `ops.lowRankLinear` and, for blocks, `Embedding` work with it as it lies, and everything else with what `dequantize` gives.
 */
export class QuantizedTensor {
  /** Of all its buffers. */
  readonly bytes: number
  /** @internal What kernels take. */
  readonly matrix: QuantizedMatrix
  #released = false

  private constructor(
    readonly backend: Backend,
    readonly format: WeightFormat,
    readonly shape: readonly [rows: number, cols: number],
    /** @internal Codes, scales, groups, as far as the format has them. */
    readonly storages: readonly Storage[],
  ) {
    const [rows, cols] = shape
    const [codes, scales, groups] = storages
    this.bytes = quantizedSizes(format, rows, cols).bytes
    this.matrix = {
      ...{ format, rows, cols, codes: codes!.buf },
      scales: scales?.buf ?? null,
      groups: groups?.buf ?? null,
    }
  }

  /** `t` [rows, cols], a float tensor, in the format; `t` stays as it is. */
  static from(t: Tensor, format: QuantFormat): QuantizedTensor {
    const [rows, cols] = t.shape
    if (rows === undefined || cols === undefined || t.shape.length !== 2) {
      throw new IftError('IFT_SHAPE', `a quantised tensor expected [rows, cols], found ${describe(t)}`)
    }
    const { backend } = t
    const dtype = asFloat(t.dtype, 'quantize')
    const sizes = quantizedSizes(format, rows, cols)
    const storages: Storage[] = []
    try {
      storages.push(Storage.alloc(backend, sizes.codes))
      storages.push(Storage.alloc(backend, sizes.scales * (format === 'nf4' ? 1 : 4)))
      if (sizes.groups > 0) storages.push(Storage.alloc(backend, sizes.groups * 4))
      const made = new QuantizedTensor(backend, format, [rows, cols], storages)
      backend.quantize(made.matrix, t.buf, dtype)
      return made
    } catch (error) {
      for (const storage of storages) storage.release()
      throw error
    }
  }

  /**
   * A matrix of blocks of a GGUF file as they lie, u8 of all its bytes, which are taken over. `IFT_QUANTIZED` on a device that does
   * not multiply them (`Backend.blocks`).
   */
  static ofBlocks(
    blocks: Tensor,
    format: BlockFormat,
    shape: readonly [rows: number, cols: number],
  ): QuantizedTensor {
    const { backend } = blocks
    const { codes } = quantizedSizes(format, ...shape)
    if (backend.blocks?.formats.includes(format) !== true)
      throw new IftError(
        'IFT_QUANTIZED',
        `the device ${backend.name} does not multiply blocks of ${format}`,
        'Load the model with quantize: none.',
      )
    if (blocks.dtype !== 'u8' || blocks.size !== codes)
      throw new IftError(
        'IFT_SHAPE',
        `blocks of ${format} [${shape.join(', ')}] expected u8 [${codes}], found ${describe(blocks)}`,
      )
    const made = new QuantizedTensor(backend, format, shape, [blocks.storage.retain()])
    keep(blocks).release()
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
