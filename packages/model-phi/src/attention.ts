import { Linear, Module, ops, type KvSource, type LinearLike, type Tensor } from '@ift/tensor'
import type { PhiConfig } from './config.js'

/** What every layer of a forward pass shares. */
export interface Step {
  /** i32 [N] */
  readonly positions: Tensor
  /** f32 [rotaryDims / 2] */
  readonly invFreq: Tensor
  /** Factor of cos and sin. */
  readonly ropeScale: number
  readonly kv: KvSource
  /** Row indices of queries, keys and values in what qkv_proj gives, seen as [N · (H + 2G), D]. */
  readonly parts: readonly [q: Tensor, k: Tensor, v: Tensor]
  /** Row indices i32 [N] of gate and up in a fused projection, seen as [2N, F]. */
  readonly halves: readonly [gate: Tensor, up: Tensor]
}

/**
 * Grouped-query attention from one matrix whose rows are all queries, then the keys, then the values; residual added.
 * x [N, C], residual [M, C] -> [M, C]; rows i32 [M] says which rows of x go on, M = N without.
 */
export class PhiAttention extends Module<
  [x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined],
  Tensor
> {
  qkv_proj: LinearLike
  o_proj: LinearLike
  readonly #config: PhiConfig
  readonly #layer: number

  constructor(config: PhiConfig, layer: number) {
    super()
    const { hidden, heads, kvHeads, headDim } = config
    this.qkv_proj = new Linear(hidden, (heads + 2 * kvHeads) * headDim)
    this.o_proj = new Linear(heads * headDim, hidden)
    this.#config = config
    this.#layer = layer
  }

  protected forward(x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined): Tensor {
    const { heads, kvHeads, headDim } = this.#config
    const { positions, invFreq, ropeScale: scale, kv } = step
    const n = x.dim(0)
    const fused = this.qkv_proj.call(x).reshape(n * (heads + 2 * kvHeads), headDim)
    const part = (at: 0 | 1 | 2, count: number) =>
      ops.gatherRows(fused, step.parts[at]).reshape(n, count, headDim)
    const q = ops.rope(part(0, heads), positions, { invFreq, scale })
    const k = ops.rope(part(1, kvHeads), positions, { invFreq, scale })
    const y = kv.attend(this.#layer, q, k, part(2, kvHeads), { causal: true }).reshape(n, heads * headDim)
    return this.o_proj.call(rows === undefined ? y : ops.gatherRows(y, rows), residual)
  }
}
