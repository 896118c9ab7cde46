import { Module, ops, Parameter, tensor, type Tensor } from '@ift/tensor'

/** Root-mean-square normalisation by 1 + weight, so that a weight of 0 changes nothing. x [..., dim] -> [..., dim]. */
export class GemmaRMSNorm extends Module<[x: Tensor], Tensor> {
  readonly weight: Parameter

  constructor(
    readonly dim: number,
    readonly eps: number,
  ) {
    super()
    this.weight = new Parameter([dim])
  }

  protected forward(x: Tensor): Tensor {
    const { value } = this.weight
    const ones = tensor(x.backend, new Float32Array(this.dim).fill(1), [this.dim], value.dtype)
    return ops.rmsNorm(x, ops.add(value, ones), this.eps)
  }
}
