import {
  CausalAttention,
  FusedAttention,
  type FusedHeadsStep,
  type FusedLayout,
  type RotaryStep,
} from '@ift/core/model'
import { Linear, ops, type LinearLike, type Tensor } from '@ift/tensor'
import type { MossConfig } from './config.js'

/** Groups of the fused projection, one for each core that CodeGen's original was sharded over. */
const groups = 4

/** In each group the queries of its heads, then their values, then their keys. */
export function codegenLayout(heads: number): FusedLayout {
  const perGroup = heads / groups
  const part = (index: number) =>
    Array.from(
      { length: heads },
      (_, head) => (3 * Math.floor(head / perGroup) + index) * perGroup + (head % perGroup),
    )
  const [q, v, k] = [part(0), part(1), part(2)]
  return [q, k, v]
}

/**
 * Attention with rotary positions on interleaved pairs of the first dimensions (CodeGen, Nijkamp et al. 2022,
 * arXiv:2203.13474). Shapes are those of `CausalAttention`.
 */
export class MossAttention extends FusedAttention<RotaryStep & FusedHeadsStep> {
  qkv_proj: LinearLike
  out_proj: LinearLike

  constructor({ hidden, heads }: MossConfig, layer: number) {
    super(layer, hidden / heads)
    this.qkv_proj = new Linear(hidden, 3 * hidden)
    this.out_proj = new Linear(hidden, hidden)
  }

  protected parts() {
    return { input: this.qkv_proj, output: this.out_proj }
  }

  protected override turn(heads: Tensor, { positions, rotation }: RotaryStep): Tensor {
    return ops.rope(heads, positions, rotation)
  }
}

/** The same with a matrix each for q, k and v (GPT-J). */
export class GptjAttention extends CausalAttention<RotaryStep> {
  k_proj: LinearLike
  v_proj: LinearLike
  q_proj: LinearLike
  out_proj: LinearLike
  readonly #heads: number

  constructor({ hidden, heads }: MossConfig, layer: number) {
    super(layer)
    this.k_proj = new Linear(hidden, hidden)
    this.v_proj = new Linear(hidden, hidden)
    this.q_proj = new Linear(hidden, hidden)
    this.out_proj = new Linear(hidden, hidden)
    this.#heads = heads
  }

  protected parts() {
    return { output: this.out_proj }
  }

  protected heads(x: Tensor) {
    const project = (projection: LinearLike) => projection.call(x).reshape(x.dim(0), this.#heads, -1)
    return [project(this.q_proj), project(this.k_proj), project(this.v_proj)] as const
  }

  protected override turn(heads: Tensor, { positions, rotation }: RotaryStep): Tensor {
    return ops.rope(heads, positions, rotation)
  }
}
