import { embedding } from '../ops/gather-rows.js'
import { scale } from '../ops/scale.js'
import { fromBf16Bits, toBf16Bits } from '../tensor/float16.js'
import type { Tensor } from '../tensor/tensor.js'
import { Module } from './module.js'
import { Parameter } from './parameter.js'

export interface EmbeddingOptions {
  /** Factor of the rows that are looked up, not of the table where it serves as a head; 1 when omitted. */
  readonly scale?: number
}

/** Rows of a table. ids i32 [N] -> [N, C]; weight [V, C]. */
export class Embedding extends Module<[ids: Tensor], Tensor> {
  readonly weight: Parameter
  readonly scale: number

  constructor(
    readonly count: number,
    readonly dim: number,
    options: EmbeddingOptions = {},
  ) {
    super()
    this.weight = new Parameter([count, dim])
    this.scale = options.scale ?? 1
  }

  protected forward(ids: Tensor): Tensor {
    return this.scaled(embedding(this.weight, ids))
  }

  /** Rows times `scale`, in the type of the table, as models with such a factor were trained; `rows` itself without one. */
  scaled(rows: Tensor): Tensor {
    if (this.scale === 1) return rows
    return scale(rows, rows.dtype === 'bf16' ? fromBf16Bits(toBf16Bits(this.scale)) : this.scale)
  }
}
