import { Linear, ops, type LinearLike, type RopeOptions, type Tensor } from '@ift/tensor'
import { CausalAttention, type AttentionParts, type Heads } from '../causal-attention.js'
import type { NormLayer } from '../decoder-step.js'
import type { RotaryStep } from '../rotation.js'

export interface RotaryAttentionOptions {
  /** Biases of q, k and v. */
  readonly bias?: boolean
  readonly outputBias?: boolean
  /** A norm over each head of q and of k, before it turns (Henry et al. 2020, arXiv:2010.04245). */
  readonly headNorm?: ((headDim: number) => NormLayer) | undefined
  /** Factor of the scores; 1 / sqrt(headDim) when omitted. */
  readonly scale?: number
}

/** Grouped-query attention whose heads turn by their positions, under LLaMA's names. Shapes are those of `CausalAttention`. */
export class RotaryAttention<S extends RotaryStep = RotaryStep> extends CausalAttention<S> {
  q_proj: LinearLike
  k_proj: LinearLike
  v_proj: LinearLike
  o_proj: LinearLike
  readonly q_norm?: NormLayer
  readonly k_norm?: NormLayer
  readonly #headDim: number

  constructor(
    sizes: {
      readonly hidden: number
      readonly heads: number
      readonly kvHeads: number
      readonly headDim: number
    },
    layer: number,
    { bias, outputBias, headNorm, scale }: RotaryAttentionOptions = {},
  ) {
    super(layer, scale)
    const { hidden, heads, kvHeads, headDim } = sizes
    this.q_proj = new Linear(hidden, heads * headDim, { bias })
    this.k_proj = new Linear(hidden, kvHeads * headDim, { bias })
    this.v_proj = new Linear(hidden, kvHeads * headDim, { bias })
    this.o_proj = new Linear(heads * headDim, hidden, { bias: outputBias })
    if (headNorm !== undefined) {
      this.q_norm = headNorm(headDim)
      this.k_norm = headNorm(headDim)
    }
    this.#headDim = headDim
  }

  protected parts(): AttentionParts {
    return { output: this.o_proj }
  }

  protected heads(x: Tensor): Heads {
    const headDim = this.#headDim
    const normed = (flat: Tensor, norm: NormLayer | undefined) =>
      (norm ? norm.call(flat.reshape(-1, headDim)) : flat).reshape(x.dim(0), -1, headDim)
    return [
      normed(this.q_proj.call(x), this.q_norm),
      normed(this.k_proj.call(x), this.k_norm),
      normed(this.v_proj.call(x), undefined),
    ]
  }

  /** How this layer's heads turn. */
  protected rotation(step: S): RopeOptions {
    return step.rotation
  }

  protected override turn(heads: Tensor, step: S): Tensor {
    return ops.rope(heads, step.positions, this.rotation(step))
  }
}
