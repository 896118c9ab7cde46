import { Module, ops, type AttentionOptions, type LinearLike, type Tensor } from '@ift/tensor'
import type { DecoderStep } from './decoder-step.js'

/** q [N, H, D]; k and v [N, G, D] of the G heads that groups of queries share. */
export type Heads = readonly [q: Tensor, k: Tensor, v: Tensor]

type Visibility = Pick<AttentionOptions, 'alibiSlopes' | 'visiblePrefix'>

/** No bias, and nothing visible besides what came before. */
const unbiased: Visibility = {}

export interface AttentionParts {
  /** The projection back: [M, H · D] -> [M, C]. */
  readonly output: LinearLike
}

/**
 * Causal self-attention over whatever the step's `kv` holds, residual added where there is one (Vaswani et al. 2017,
 * arXiv:1706.03762; grouped queries: Ainslie et al. 2023, arXiv:2305.13245). x [N, C], residual [M, C] or none -> [M, C];
 * rows i32 [M] says which rows of x go on, M = N without. A family declares its projections and says what they give.
 */
export abstract class CausalAttention<S extends DecoderStep> extends Module<
  [x: Tensor, step: S, residual?: Tensor, rows?: Tensor],
  Tensor
> {
  readonly #layer: number
  readonly #scale: number | undefined

  /** `layer` is the index under which `kv` keeps keys and values, `scale` the factor of q · k; 1 / sqrt(D) when omitted. */
  constructor(layer: number, scale?: number) {
    super()
    this.#layer = layer
    this.#scale = scale
  }

  protected abstract parts(): AttentionParts

  /** Queries, keys and values of x [N, C], without positions. */
  protected abstract heads(x: Tensor, step: S): Heads

  /** Queries or keys turned by their positions: [N, heads, D] -> the same shape. As they are, unless a family turns them. */
  protected turn(heads: Tensor, _step: S): Tensor {
    return heads
  }

  /** Biases of the scores, and what is visible besides what came before. */
  protected visibility(_step: S): Visibility {
    return unbiased
  }

  protected forward(x: Tensor, step: S, residual?: Tensor, rows?: Tensor): Tensor {
    const [q, k, v] = this.heads(x, step)
    const { alibiSlopes, visiblePrefix } = this.visibility(step)
    const options = { causal: true, scale: this.#scale, alibiSlopes, visiblePrefix }
    const y = step.kv
      .attend(this.#layer, this.turn(q, step), this.turn(k, step), v, options)
      .reshape(x.dim(0), q.dim(1) * q.dim(2))
    return this.parts().output.call(rows === undefined ? y : ops.gatherRows(y, rows), residual)
  }
}
