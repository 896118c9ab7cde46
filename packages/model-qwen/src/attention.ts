import { Linear, Module, ops, RMSNorm, type KvSource, type LinearLike, type Tensor } from '@ift/tensor'
import type { QwenConfig } from './config.js'

/** What every layer of a forward pass shares. */
export interface Step {
  /** i32 [N] */
  readonly positions: Tensor
  /** f32 [headDim / 2] */
  readonly invFreq: Tensor
  /** Factor of cos and sin. */
  readonly ropeScale: number
  readonly kv: KvSource
}

/**
 * Grouped-query attention with biased q, k, v (Qwen2, Yang et al. 2024, arXiv:2407.10671) or normed heads of q and k
 * (Qwen3, Yang et al. 2025, arXiv:2505.09388), residual added.
 * x [N, C], residual [M, C] -> [M, C]; rows i32 [M] says which rows of x go on, M = N without.
 */
export class QwenAttention extends Module<
  [x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined],
  Tensor
> {
  q_proj: LinearLike
  k_proj: LinearLike
  v_proj: LinearLike
  o_proj: LinearLike
  readonly q_norm?: RMSNorm
  readonly k_norm?: RMSNorm
  readonly #config: QwenConfig
  readonly #layer: number

  constructor(config: QwenConfig, layer: number) {
    super()
    const { hidden, heads, kvHeads, headDim, qkvBias: bias } = config
    this.q_proj = new Linear(hidden, heads * headDim, { bias })
    this.k_proj = new Linear(hidden, kvHeads * headDim, { bias })
    this.v_proj = new Linear(hidden, kvHeads * headDim, { bias })
    this.o_proj = new Linear(heads * headDim, hidden, { bias: config.outputBias })
    if (config.headNorms) {
      this.q_norm = new RMSNorm(headDim, config.eps)
      this.k_norm = new RMSNorm(headDim, config.eps)
    }
    this.#config = config
    this.#layer = layer
  }

  protected forward(x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined): Tensor {
    const { heads, kvHeads, headDim } = this.#config
    const { positions, invFreq, ropeScale: scale, kv } = step
    const n = x.dim(0)
    const turned = (flat: Tensor, count: number, norm: RMSNorm | undefined) => {
      const normed = norm ? norm.call(flat.reshape(n * count, headDim)) : flat
      return ops.rope(normed.reshape(n, count, headDim), positions, { invFreq, scale })
    }
    const q = turned(this.q_proj.call(x), heads, this.q_norm)
    const k = turned(this.k_proj.call(x), kvHeads, this.k_norm)
    const v = this.v_proj.call(x).reshape(n, kvHeads, headDim)
    const y = kv.attend(this.#layer, q, k, v, { causal: true }).reshape(n, heads * headDim)
    return this.o_proj.call(rows === undefined ? y : ops.gatherRows(y, rows), residual)
  }
}
