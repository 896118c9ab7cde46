import { AdaptedLinear, ones, type AdapterTensor, type MergedWeights } from '@ift/core/peft'
import { asFloat, full, ops, Parameter, type Linear, type Tensor } from '@ift/tensor'

/**
 * y = (W x + b) ∘ l, or, in a feed-forward layer, y = W (x ∘ l) + b (Liu et al. 2022, arXiv:2205.05638). x [N, in] -> [N, out];
 * l [out], or [in]. The bias is scaled with the rest, as in Hugging Face PEFT.
 */
export class Ia3Linear extends AdaptedLinear {
  readonly ia3_l: Parameter

  constructor(
    base: Linear,
    /** Whether l scales what goes in. */
    readonly feedforward: boolean,
  ) {
    super(base)
    this.ia3_l = new Parameter([feedforward ? base.inFeatures : base.outFeatures])
  }

  tensors(): readonly AdapterTensor[] {
    const { ia3_l: parameter, feedforward } = this
    const size = parameter.shape[0]!
    return [{ name: 'ia3_l', parameter, start: ones, fileShape: feedforward ? [1, size] : [size, 1] }]
  }

  protected adapted(x: Tensor, addTo?: Tensor): Tensor {
    const { base_layer: base, ia3_l: l } = this
    if (this.feedforward) return base.call(ops.scaleColumns(x, l.value), addTo)
    // A head adds to f32 logits in a model of any type.
    const outDtype = addTo && asFloat(addTo.dtype, 'ia3')
    const product = ops.linear(x, base.weight.operand, { bias: base.bias?.value, outDtype })
    const scaled = ops.scaleColumns(product, l.value)
    return addTo ? ops.add(addTo, scaled) : scaled
  }

  merged(): MergedWeights {
    const l = ops.cast(this.ia3_l.value, 'f32')
    const weight = this.frozen()
    if (this.feedforward) return { weight: ops.scaleColumns(weight, l) }
    const { bias } = this.base_layer
    const everyColumn = full(weight.backend, [1, this.inFeatures], 1, 'f32')
    const rows = ops.matmul(l.reshape(this.outFeatures, 1), everyColumn)
    return { weight: ops.mul(weight, rows), bias: bias && ops.mul(ops.cast(bias.value, 'f32'), l) }
  }
}
