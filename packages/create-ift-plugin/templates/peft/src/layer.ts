import { AdaptedLinear, kaimingUniform, zeros, type AdapterTensor, type MergedWeights } from '@ift/core/peft'
import { ops, Parameter, type FloatDType, type Linear, type Tensor } from '@ift/tensor'

/** y = W x + b + U (D x): a frozen linear layer with a trained product of two thin matrices beside it. x [N, in] -> [N, out] */
export class __Name__Linear extends AdaptedLinear {
  /** [rank, in] */
  readonly adapter_down: Parameter
  /** [out, rank] */
  readonly adapter_up: Parameter

  constructor(base: Linear, rank: number) {
    super(base)
    this.adapter_down = new Parameter([rank, base.inFeatures])
    this.adapter_up = new Parameter([base.outFeatures, rank])
  }

  /** U begins as zeros, so that the model is at first what it was. */
  tensors(): readonly AdapterTensor[] {
    return [
      { name: 'adapter_down', parameter: this.adapter_down, start: kaimingUniform(this.inFeatures) },
      { name: 'adapter_up', parameter: this.adapter_up, start: zeros },
    ]
  }

  protected adapted(x: Tensor, addTo?: Tensor): Tensor {
    const down = ops.linear(x, this.adapter_down.value)
    const branch = ops.linear(down, this.adapter_up.value)
    const y = this.base_layer.call(x, addTo)
    // A head gives f32 in a model of any type.
    return ops.add(y, ops.cast(branch, y.dtype as FloatDType))
  }

  /** W + U D: the same layer without the branch. */
  merged(): MergedWeights {
    const [down, up] = [this.adapter_down, this.adapter_up].map(({ value }) => ops.cast(value, 'f32'))
    return { weight: ops.add(this.frozen(), ops.matmul(up!, down!)) }
  }
}
