import { rmsNorm } from '../ops/rms-norm.js'
import type { Tensor } from '../tensor/tensor.js'
import { Module } from './module.js'
import { Parameter } from './parameter.js'

/** Root-mean-square normalisation of the last dimension. x [..., dim] -> [..., dim]; weight [dim]. */
export class RMSNorm extends Module<[x: Tensor], Tensor> {
  readonly weight: Parameter

  constructor(
    readonly dim: number,
    readonly eps: number,
  ) {
    super()
    this.weight = new Parameter([dim])
  }

  protected forward(x: Tensor): Tensor {
    return rmsNorm(x, this.weight.value, this.eps)
  }
}
