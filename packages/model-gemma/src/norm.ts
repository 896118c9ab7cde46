import { isWide, Module, ops, Parameter, tensor, type DType, type FloatDType, type Tensor } from '@ift/tensor'

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
    const { dtype } = value
    const ones = (of: DType) => tensor(x.backend, new Float32Array(this.dim).fill(1), [this.dim], of)
    if (!isWide(x)) return ops.rmsNorm(x, ops.add(value, ones(dtype)), this.eps)
    // Most weights are small: 1 + weight in 16 bits would leave little of them.
    const y = ops.rmsNorm(ops.cast(x, 'f32'), ops.add(ops.cast(value, 'f32'), ones('f32')), this.eps)
    return ops.cast(y, dtype as FloatDType)
  }
}
