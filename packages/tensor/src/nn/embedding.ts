import { embedding } from '../ops/gather-rows.js'
import type { Tensor } from '../tensor/tensor.js'
import { Module } from './module.js'
import { Parameter } from './parameter.js'

/** Rows of a table. ids i32 [N] -> [N, C]; weight [V, C]. */
export class Embedding extends Module<[ids: Tensor], Tensor> {
  readonly weight: Parameter

  constructor(
    readonly count: number,
    readonly dim: number,
  ) {
    super()
    this.weight = new Parameter([count, dim])
  }

  protected forward(ids: Tensor): Tensor {
    return embedding(this.weight, ids)
  }
}
