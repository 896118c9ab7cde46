import { Module, ops, QuantizedTensor, type Linear, type LinearLike, type Tensor } from '@ift/tensor'
import type { AdaptedLayer, AdapterTensor } from './adapted-layer.js'

/**
 * A linear layer with a method on it. x [N, in] -> [N, out]. A subclass has the tensors as parameters, in fields under the
 * names of the adapter file, and the forward pass.
 */
export abstract class AdaptedLinear
  extends Module<[x: Tensor, addTo?: Tensor], Tensor>
  implements LinearLike, AdaptedLayer
{
  training = false
  enabled = true

  constructor(readonly base_layer: Linear) {
    super()
  }

  get inFeatures(): number {
    return this.base_layer.inFeatures
  }

  get outFeatures(): number {
    return this.base_layer.outFeatures
  }

  abstract tensors(): readonly AdapterTensor[]

  /** The forward pass with the method on. `addTo` [N, out] is given away. */
  protected abstract adapted(x: Tensor, addTo?: Tensor): Tensor

  protected forward(x: Tensor, addTo?: Tensor): Tensor {
    return this.enabled ? this.adapted(x, addTo) : this.plain(x, addTo)
  }

  /** The forward pass with the method off, for a layer whose start changes the frozen weights. */
  protected plain(x: Tensor, addTo?: Tensor): Tensor {
    return this.base_layer.call(x, addTo)
  }

  /** W, f32 [out, in]: as the method sees it, which for a quantised layer are the values of its codes. */
  frozen(): Tensor {
    const { operand } = this.base_layer.weight
    return operand instanceof QuantizedTensor ? operand.dequantize('f32') : ops.cast(operand, 'f32')
  }
}
