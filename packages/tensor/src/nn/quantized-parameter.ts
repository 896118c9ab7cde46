import { IftError } from '../errors.js'
import type { Backend } from '../backend.js'
import type { FloatDType } from '../dtype.js'
import { isBlockFormat, quantizedSizes, type WeightFormat } from '../quantization.js'
import { QuantizedTensor } from '../tensor/quantized-tensor.js'
import { keep } from '../tensor/scope.js'
import { describe, empty, type Tensor } from '../tensor/tensor.js'
import { Parameter } from './parameter.js'

/**
 * A frozen matrix [rows, cols] that is held in few bits: `assign` quantises its argument and releases it, so a model
 * is never held twice. It has no plain `value` and no gradient. In a format of GGUF, `assign` takes the blocks themselves over, as u8.
 */
export class QuantizedParameter extends Parameter {
  #quantized: QuantizedTensor | null = null
  readonly #matrix: readonly [rows: number, cols: number]

  constructor(
    shape: readonly [rows: number, cols: number],
    readonly format: WeightFormat,
  ) {
    super(shape)
    this.#matrix = shape
  }

  override blank(backend: Backend, dtype: FloatDType): Tensor {
    if (!isBlockFormat(this.format)) return super.blank(backend, dtype)
    return empty(backend, [quantizedSizes(this.format, ...this.#matrix).codes], 'u8')
  }

  override get isAssigned(): boolean {
    return this.#quantized !== null
  }

  /** Throws `IFT_QUANTIZED`: there are no plain numbers. */
  override get value(): Tensor {
    return this.expectPlain()
  }

  protected override expectPlain(): never {
    throw new IftError(
      'IFT_QUANTIZED',
      `parameter [${this.shape.join(', ')}] is held in ${this.format} and has no plain value`,
      'Multiply by it with ops.linear(x, parameter.operand), or write it out: parameter.quantized.dequantize(dtype).',
    )
  }

  /** Throws `IFT_PARAMETER_UNASSIGNED`. */
  get quantized(): QuantizedTensor {
    if (this.#quantized === null) {
      throw new IftError(
        'IFT_PARAMETER_UNASSIGNED',
        `parameter [${this.shape.join(', ')}] has no value: no weights were loaded into it`,
        'Load a checkpoint, or assign(t) a tensor of this shape.',
      )
    }
    return this.#quantized
  }

  override get operand(): QuantizedTensor {
    return this.quantized
  }

  /** Quantises `t` and releases it; takes blocks over. */
  override assign(t: Tensor): void {
    const { format } = this
    if (isBlockFormat(format)) {
      const made = QuantizedTensor.ofBlocks(t, format, this.#matrix)
      this.#quantized?.release()
      this.#quantized = made
      return
    }
    if (t.shape.length !== 2 || t.shape.some((d, i) => d !== this.shape[i])) {
      throw new IftError('IFT_SHAPE', `parameter expected [${this.shape.join(', ')}], found ${describe(t)}`)
    }
    const made = QuantizedTensor.from(t, format)
    this.#quantized?.release()
    this.#quantized = made
    keep(t).release()
  }

  /** Throws `IFT_QUANTIZED` when switched on: steps of an optimiser are smaller than those between codes. */
  override setTrainable(on: boolean): void {
    if (!on) return
    throw new IftError(
      'IFT_QUANTIZED',
      `parameter [${this.shape.join(', ')}] is held in ${this.format} and cannot be trained itself`,
      'Train an adapter on it (peft: { method: lora }), or load the model with quantize: none.',
    )
  }

  override release(): void {
    this.#quantized?.release()
    this.#quantized = null
  }
}
