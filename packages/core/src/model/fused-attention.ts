import type { LinearLike, Tensor } from '@ift/tensor'
import { CausalAttention, type AttentionParts, type Heads } from './causal-attention.js'
import type { DecoderStep } from './decoder-step.js'
import { splitFused } from './fused-rows.js'

/** A step of layers whose queries, keys and values come from one matrix. */
export interface FusedHeadsStep extends DecoderStep {
  /** Row indices of queries, keys and values in what the matrix gives (`fusedRows`). */
  readonly qkv: readonly Tensor[]
}

export interface FusedAttentionParts extends AttentionParts {
  /** The matrix: [N, C] -> [N, (H + 2G) · D]. */
  readonly input: LinearLike
}

/** Causal attention whose queries, keys and values come from one matrix. Shapes are those of `CausalAttention`. */
export abstract class FusedAttention<S extends FusedHeadsStep> extends CausalAttention<S> {
  readonly #headDim: number

  constructor(layer: number, headDim: number, scale?: number) {
    super(layer, scale)
    this.#headDim = headDim
  }

  protected abstract override parts(): FusedAttentionParts

  protected heads(x: Tensor, { qkv }: S): Heads {
    const [q, k, v] = splitFused(this.parts().input.call(x), qkv).map((part) =>
      part.reshape(x.dim(0), -1, this.#headDim),
    )
    return [q!, k!, v!]
  }
}
