import { Module, ops, Parameter, tensor, type LinearLike, type Tensor } from '@ift/tensor'

/** Added to the mean square of a row, so that a row of zeros stays zeros. */
const eps = 1e-24

/**
 * Output matrix with rows of length 1 (Baichuan2, Yang et al. 2023, arXiv:2309.10305): y = x (W / |W|)ᵀ. x [N, in] ->
 * [N, out]; weight [out, in], stored as it was trained.
 */
export class NormHead extends Module<[x: Tensor, addTo?: Tensor], Tensor> implements LinearLike {
  readonly weight: Parameter

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
  ) {
    super()
    this.weight = new Parameter([outFeatures, inFeatures])
  }

  protected forward(x: Tensor, addTo?: Tensor): Tensor {
    const { value } = this.weight
    const ones = tensor(
      value.backend,
      new Float32Array(this.inFeatures).fill(1),
      [this.inFeatures],
      value.dtype,
    )
    // Root mean square 1 is length sqrt(in), which the product divides out.
    return ops.linear(x, ops.rmsNorm(value, ones, eps), { alpha: 1 / Math.sqrt(this.inFeatures), addTo })
  }
}
