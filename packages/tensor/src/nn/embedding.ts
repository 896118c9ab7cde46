import type { FloatDType } from '../dtype.js'
import { embedding, embeddingOfBlocks } from '../ops/gather-rows.js'
import type { BlockFormat } from '../quantization.js'
import { scale } from '../ops/scale.js'
import { QuantizedTensor } from '../tensor/quantized-tensor.js'
import { fromBf16Bits, toBf16Bits } from '../tensor/float16.js'
import type { Tensor } from '../tensor/tensor.js'
import { Module } from './module.js'
import { Parameter } from './parameter.js'
import { QuantizedParameter } from './quantized-parameter.js'

export interface EmbeddingOptions {
  /** Factor of the rows that are looked up, not of the table where it serves as a head; 1 when omitted. */
  readonly scale?: number
}

/** Rows of a table. ids i32 [N] -> [N, C]; weight [V, C]. */
export class Embedding extends Module<[ids: Tensor], Tensor> {
  weight: Parameter
  readonly scale: number
  /** Of the rows, where the table is held in blocks. */
  #dtype: FloatDType = 'f32'

  constructor(
    readonly count: number,
    readonly dim: number,
    options: EmbeddingOptions = {},
  ) {
    super()
    this.weight = new Parameter([count, dim])
    this.scale = options.scale ?? 1
  }

  /**
   * Makes the table, which has no weights yet, one of blocks, whose rows are looked up in `dtype`. It is frozen and has no plain value:
   * for generation alone.
   */
  holdBlocks(format: BlockFormat, dtype: FloatDType): void {
    this.weight = new QuantizedParameter([this.count, this.dim], format)
    this.#dtype = dtype
  }

  protected forward(ids: Tensor): Tensor {
    const { operand } = this.weight
    return this.scaled(
      operand instanceof QuantizedTensor
        ? embeddingOfBlocks(operand, ids, this.#dtype)
        : embedding(this.weight, ids),
    )
  }

  /** Rows times `scale`, in the type of the table, as models with such a factor were trained; `rows` itself without one. */
  scaled(rows: Tensor): Tensor {
    if (this.scale === 1) return rows
    return scale(rows, rows.dtype === 'bf16' ? fromBf16Bits(toBf16Bits(this.scale)) : this.scale)
  }
}
