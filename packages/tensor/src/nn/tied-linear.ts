import { linear } from '../ops/linear.js'
import type { Tensor } from '../tensor/tensor.js'
import type { Embedding } from './embedding.js'
import { Module, type LinearLike } from './module.js'

/**
 * A head that multiplies by the table of an embedding. x [N, C] -> [N, V]. The parameter is the embedding's: none is listed
 * here, and both uses add to one gradient.
 */
export class TiedLinear extends Module<[x: Tensor, addTo?: Tensor], Tensor> implements LinearLike {
  readonly #embedding: Embedding

  constructor(embedding: Embedding) {
    super()
    this.#embedding = embedding
  }

  get embedding(): Embedding {
    return this.#embedding
  }

  get inFeatures(): number {
    return this.#embedding.dim
  }

  get outFeatures(): number {
    return this.#embedding.count
  }

  protected forward(x: Tensor, addTo?: Tensor): Tensor {
    return linear(x, this.#embedding.weight.operand, { addTo })
  }
}
