import { linear } from '../ops/linear.js'
import type { Tensor } from '../tensor/tensor.js'
import { Module, type LinearLike } from './module.js'
import { Parameter } from './parameter.js'

/** y = x Wᵀ (+ bias) (+ addTo). x [N, in] -> [N, out]; weight [out, in], bias [out]. addTo is given away (`ops.linear`). */
export class Linear extends Module<[x: Tensor, addTo?: Tensor], Tensor> implements LinearLike {
  readonly weight: Parameter
  readonly bias: Parameter | undefined

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: { readonly bias?: boolean } = {},
  ) {
    super()
    this.weight = new Parameter([outFeatures, inFeatures])
    this.bias = options.bias === true ? new Parameter([outFeatures]) : undefined
  }

  protected forward(x: Tensor, addTo?: Tensor): Tensor {
    return linear(x, this.weight.value, { bias: this.bias?.value, addTo })
  }
}
