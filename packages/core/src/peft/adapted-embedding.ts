import { Module, type Embedding, type Parameter, type Tensor } from '@ift/tensor'
import type { AdaptedLayer, AdapterTensor } from './adapted-layer.js'

/** An embedding with a method on it. ids i32 [N] -> [N, C]. A subclass is written as one of `AdaptedLinear` is. */
export abstract class AdaptedEmbedding extends Module<[ids: Tensor], Tensor> implements AdaptedLayer {
  training = false
  enabled = true

  constructor(readonly base_layer: Embedding) {
    super()
  }

  get count(): number {
    return this.base_layer.count
  }

  get dim(): number {
    return this.base_layer.dim
  }

  /** The frozen table, [V, C]. */
  get weight(): Parameter {
    return this.base_layer.weight
  }

  abstract tensors(): readonly AdapterTensor[]

  /** The forward pass with the method on. */
  protected abstract adapted(ids: Tensor): Tensor

  protected forward(ids: Tensor): Tensor {
    return this.enabled ? this.adapted(ids) : this.base_layer.call(ids)
  }
}
