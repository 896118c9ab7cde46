import { Linear, Module, ops, type LinearLike, type Tensor } from '@ift/tensor'
import type { InternLMConfig } from './config.js'
import type { Step } from './decode.js'

/**
 * Attention with rotary positions and, in the 7B, biases everywhere; residual added. x [N, C], residual [M, C] -> [M, C];
 * rows i32 [M] says which rows of x go on, M = N without.
 */
export class InternLMAttention extends Module<
  [x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined],
  Tensor
> {
  q_proj: LinearLike
  k_proj: LinearLike
  v_proj: LinearLike
  o_proj: LinearLike
  readonly #config: InternLMConfig
  readonly #layer: number

  constructor(config: InternLMConfig, layer: number) {
    super()
    const { hidden, attentionBias: bias } = config
    this.q_proj = new Linear(hidden, hidden, { bias })
    this.k_proj = new Linear(hidden, hidden, { bias })
    this.v_proj = new Linear(hidden, hidden, { bias })
    this.o_proj = new Linear(hidden, hidden, { bias })
    this.#config = config
    this.#layer = layer
  }

  protected forward(x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined): Tensor {
    const { heads, headDim, hidden } = this.#config
    const { positions, invFreq, kv } = step
    const n = x.dim(0)
    const q = ops.rope(this.q_proj.call(x).reshape(n, heads, headDim), positions, { invFreq })
    const k = ops.rope(this.k_proj.call(x).reshape(n, heads, headDim), positions, { invFreq })
    const v = this.v_proj.call(x).reshape(n, heads, headDim)
    const y = kv.attend(this.#layer, q, k, v, { causal: true }).reshape(n, hidden)
    return this.o_proj.call(rows === undefined ? y : ops.gatherRows(y, rows), residual)
  }
}
