import { Linear, Module, ops, type KvSource, type LinearLike, type Tensor } from '@ift/tensor'
import type { GemmaConfig } from './config.js'
import { GemmaRMSNorm } from './norm.js'

/** How positions turn a head. */
export interface Rotation {
  /** f32 [headDim / 2] */
  readonly invFreq: Tensor
  /** Factor of cos and sin. */
  readonly scale: number
}

/** What every layer of a forward pass shares. */
export interface Step {
  /** i32 [N] */
  readonly positions: Tensor
  readonly whole: Rotation
  /** Of the layers that see a window only. */
  readonly local: Rotation
  readonly kv: KvSource
}

/**
 * Grouped-query attention with rotary positions; heads of q and k are normed in Gemma 3. x [N, C], residual [M, C] or none
 * -> [M, C]; rows i32 [M] says which rows of x go on, M = N without.
 */
export class GemmaAttention extends Module<
  [x: Tensor, step: Step, residual: Tensor | undefined, rows: Tensor | undefined],
  Tensor
> {
  q_proj: LinearLike
  k_proj: LinearLike
  v_proj: LinearLike
  o_proj: LinearLike
  readonly q_norm?: GemmaRMSNorm
  readonly k_norm?: GemmaRMSNorm
  readonly #config: GemmaConfig
  readonly #layer: number

  constructor(config: GemmaConfig, layer: number) {
    super()
    const { hidden, heads, kvHeads, headDim, eps, attentionBias: bias } = config
    this.q_proj = new Linear(hidden, heads * headDim, { bias })
    this.k_proj = new Linear(hidden, kvHeads * headDim, { bias })
    this.v_proj = new Linear(hidden, kvHeads * headDim, { bias })
    this.o_proj = new Linear(heads * headDim, hidden, { bias })
    if (config.third) {
      this.q_norm = new GemmaRMSNorm(headDim, eps)
      this.k_norm = new GemmaRMSNorm(headDim, eps)
    }
    this.#config = config
    this.#layer = layer
  }

  protected forward(x: Tensor, step: Step, residual: Tensor | undefined, rows: Tensor | undefined): Tensor {
    const { heads, kvHeads, headDim, scale, local } = this.#config
    const { positions, kv } = step
    const rotation = local[this.#layer] === true ? step.local : step.whole
    const n = x.dim(0)
    const turned = (flat: Tensor, count: number, norm: GemmaRMSNorm | undefined) => {
      const normed = norm ? norm.call(flat.reshape(n * count, headDim)) : flat
      return ops.rope(normed.reshape(n, count, headDim), positions, rotation)
    }
    const q = turned(this.q_proj.call(x), heads, this.q_norm)
    const k = turned(this.k_proj.call(x), kvHeads, this.k_norm)
    const v = this.v_proj.call(x).reshape(n, kvHeads, headDim)
    const y = kv.attend(this.#layer, q, k, v, { causal: true, scale }).reshape(n, heads * headDim)
    return this.o_proj.call(rows === undefined ? y : ops.gatherRows(y, rows), residual)
  }
}
