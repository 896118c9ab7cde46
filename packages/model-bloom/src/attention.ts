import { Linear, Module, ops, type KvSource, type LinearLike, type Tensor } from '@ift/tensor'
import type { BloomConfig } from './config.js'

/** What every layer of a forward pass shares. */
export interface Step {
  readonly kv: KvSource
  /** f32 [heads] */
  readonly alibiSlopes: Tensor
  /** i32 [N · heads] each: rows of q, k and v when the fused projection is seen as [N · heads · 3, headDim]. */
  readonly parts: readonly [q: Tensor, k: Tensor, v: Tensor]
}

/**
 * Attention with linear biases in place of positions (ALiBi), residual added. The fused projection holds q, k and v of one
 * head side by side. x [N, C], residual [M, C] -> [M, C]; rows i32 [M] says which rows of x go on, M = N without.
 */
export class BloomAttention extends Module<
  [x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined],
  Tensor
> {
  query_key_value: LinearLike
  dense: LinearLike
  readonly #heads: number
  readonly #layer: number

  constructor({ hidden, heads }: BloomConfig, layer: number) {
    super()
    this.query_key_value = new Linear(hidden, 3 * hidden, { bias: true })
    this.dense = new Linear(hidden, hidden, { bias: true })
    this.#heads = heads
    this.#layer = layer
  }

  protected forward(x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined): Tensor {
    const { kv, alibiSlopes, parts } = step
    const heads = this.#heads
    const [n, hidden] = [x.dim(0), x.dim(1)]
    const headDim = hidden / heads
    const fused = this.query_key_value.call(x).reshape(n * heads * 3, headDim)
    const part = (index: Tensor) => ops.gatherRows(fused, index).reshape(n, heads, headDim)
    const [q, k, v] = [part(parts[0]), part(parts[1]), part(parts[2])]
    const y = kv.attend(this.#layer, q, k, v, { causal: true, alibiSlopes }).reshape(n, hidden)
    return this.dense.call(rows === undefined ? y : ops.gatherRows(y, rows), residual)
  }
}
