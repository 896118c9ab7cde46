import { Linear, Module, ops, type KvSource, type LinearLike, type Tensor } from '@ift/tensor'
import type { BaichuanConfig } from './config.js'

/** What every layer of a forward pass shares. */
export interface Step {
  /** i32 [N] */
  readonly positions: Tensor
  /** f32 [headDim / 2]; absent with ALiBi. */
  readonly invFreq?: Tensor | undefined
  /** f32 [heads]; absent with rotary positions. */
  readonly alibiSlopes?: Tensor | undefined
  readonly kv: KvSource
  /** Row indices i32 [N] of the queries, keys and values in what W_pack gives, seen as [3N, C]. */
  readonly parts: readonly [q: Tensor, k: Tensor, v: Tensor]
}

/**
 * Attention from one matrix with rotary positions or ALiBi, residual added. x [N, C], residual [M, C] -> [M, C]; rows
 * i32 [M] says which rows of x go on, M = N without.
 */
export class BaichuanAttention extends Module<
  [x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined],
  Tensor
> {
  W_pack: LinearLike
  o_proj: LinearLike
  readonly #config: BaichuanConfig
  readonly #layer: number

  constructor(config: BaichuanConfig, layer: number) {
    super()
    this.W_pack = new Linear(config.hidden, 3 * config.hidden)
    this.o_proj = new Linear(config.hidden, config.hidden)
    this.#config = config
    this.#layer = layer
  }

  protected forward(x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined): Tensor {
    const { heads, headDim, hidden } = this.#config
    const { positions, invFreq, alibiSlopes, kv, parts } = step
    const n = x.dim(0)
    const fused = this.W_pack.call(x).reshape(3 * n, hidden)
    const part = (index: Tensor) => ops.gatherRows(fused, index).reshape(n, heads, headDim)
    const turned = (t: Tensor) => (invFreq === undefined ? t : ops.rope(t, positions, { invFreq }))
    const [q, k, v] = [turned(part(parts[0])), turned(part(parts[1])), part(parts[2])]
    const y = kv.attend(this.#layer, q, k, v, { causal: true, alibiSlopes }).reshape(n, hidden)
    return this.o_proj.call(rows === undefined ? y : ops.gatherRows(y, rows), residual)
  }
}
