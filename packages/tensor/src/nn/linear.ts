import { linear } from '../ops/linear.js'
import type { Tensor } from '../tensor/tensor.js'
import { Module, type LinearLike } from './module.js'
import { Parameter } from './parameter.js'

export interface LinearLayerOptions {
  /** Whether it has a bias, or one that exists already. */
  readonly bias?: boolean | Parameter | undefined
  /** [out, in], in the place of a new one. */
  readonly weight?: Parameter | undefined
}

/** y = x Wᵀ (+ bias) (+ addTo). x [N, in] -> [N, out]; weight [out, in], bias [out]. addTo is given away (`ops.linear`). */
export class Linear extends Module<[x: Tensor, addTo?: Tensor], Tensor> implements LinearLike {
  readonly weight: Parameter
  readonly bias: Parameter | undefined

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: LinearLayerOptions = {},
  ) {
    super()
    const { bias, weight } = options
    this.weight = weight ?? new Parameter([outFeatures, inFeatures])
    this.bias = bias === true ? new Parameter([outFeatures]) : bias === false ? undefined : bias
  }

  protected forward(x: Tensor, addTo?: Tensor): Tensor {
    return linear(x, this.weight.operand, { bias: this.bias?.value, addTo })
  }
}
