import { layerNorm } from '../ops/layer-norm.js'
import type { Tensor } from '../tensor/tensor.js'
import { Module } from './module.js'
import { Parameter } from './parameter.js'

/** Layer normalisation of the last dimension. x [..., dim] -> [..., dim]; weight and bias [dim]. */
export class LayerNorm extends Module<[x: Tensor], Tensor> {
  readonly weight: Parameter
  readonly bias: Parameter

  constructor(
    readonly dim: number,
    readonly eps: number,
  ) {
    super()
    this.weight = new Parameter([dim])
    this.bias = new Parameter([dim])
  }

  protected forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight.value, this.bias.value, this.eps)
  }
}
