import { Linear, Module, ops, type KvSource, type LinearLike, type Segments, type Tensor } from '@ift/tensor'
import type { LlamaConfig } from './config.js'

/** What every layer of a forward pass shares. */
export interface Step {
  /** i32 [N] */
  readonly positions: Tensor
  /** f32 [headDim / 2] */
  readonly invFreq: Tensor
  /** Factor of cos and sin. */
  readonly ropeScale: number
  readonly segments: Segments
  readonly kv: KvSource
}

/**
 * Grouped-query attention with rotary positions (Ainslie et al. 2023, arXiv:2305.13245), residual added.
 * x [N, C], residual [M, C] -> [M, C]; rows i32 [M] says which rows of x go on, M = N without.
 */
export class LlamaAttention extends Module<
  [x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined],
  Tensor
> {
  q_proj: LinearLike
  k_proj: LinearLike
  v_proj: LinearLike
  o_proj: LinearLike
  readonly #config: LlamaConfig
  readonly #layer: number

  constructor(config: LlamaConfig, layer: number) {
    super()
    const { hidden, heads, kvHeads, headDim } = config
    const options = { bias: config.attentionBias }
    this.q_proj = new Linear(hidden, heads * headDim, options)
    this.k_proj = new Linear(hidden, kvHeads * headDim, options)
    this.v_proj = new Linear(hidden, kvHeads * headDim, options)
    this.o_proj = new Linear(heads * headDim, hidden, options)
    this.#config = config
    this.#layer = layer
  }

  protected forward(x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined): Tensor {
    const { heads, kvHeads, headDim } = this.#config
    const { positions, invFreq, ropeScale: scale, kv } = step
    const n = x.dim(0)
    const q = ops.rope(this.q_proj.call(x).reshape(n, heads, headDim), positions, { invFreq, scale })
    const k = ops.rope(this.k_proj.call(x).reshape(n, kvHeads, headDim), positions, { invFreq, scale })
    const v = this.v_proj.call(x).reshape(n, kvHeads, headDim)
    const y = kv.attend(this.#layer, q, k, v, { causal: true }).reshape(n, heads * headDim)
    return this.o_proj.call(rows === undefined ? y : ops.gatherRows(y, rows), residual)
  }
}
