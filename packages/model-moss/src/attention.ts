import { Linear, Module, ops, type KvSource, type LinearLike, type Tensor } from '@ift/tensor'
import type { MossConfig } from './config.js'

/** What every layer of a forward pass shares. */
export interface Step {
  readonly kv: KvSource
  /** i32 [N] */
  readonly positions: Tensor
  /** f32 [rotaryDim / 2] */
  readonly invFreq: Tensor
  /** i32 [N · heads] each: rows of q, k and v when the fused projection is seen as [N · 3 · heads, headDim]; null without one. */
  readonly parts: readonly [q: Tensor, k: Tensor, v: Tensor] | null
}

/** Groups of the fused projection, one for each core that CodeGen's original was sharded over. */
const groups = 4

/** Row of head `head` of part 0 (q), 1 (v) or 2 (k) among the 3 · heads rows of a position. */
export const fusedRow = (heads: number, part: number, head: number): number => {
  const perGroup = heads / groups
  return 3 * perGroup * Math.floor(head / perGroup) + part * perGroup + (head % perGroup)
}

abstract class RotaryAttention extends Module<[x: Tensor, step: Step, rows: Tensor | undefined], Tensor> {
  protected readonly heads: number
  readonly #layer: number

  constructor({ heads }: MossConfig, layer: number) {
    super()
    this.heads = heads
    this.#layer = layer
  }

  /** q, k, v [N, heads, headDim] -> [N, C], or [M, C] for the rows that go on. */
  protected attend(
    [q, k, v]: readonly [Tensor, Tensor, Tensor],
    { kv, positions, invFreq }: Step,
    rows: Tensor | undefined,
  ): Tensor {
    const rotary = { invFreq, interleaved: true }
    const y = kv
      .attend(this.#layer, ops.rope(q, positions, rotary), ops.rope(k, positions, rotary), v, {
        causal: true,
      })
      .reshape(q.dim(0), q.dim(1) * q.dim(2))
    return rows === undefined ? y : ops.gatherRows(y, rows)
  }
}

/**
 * Attention with rotary positions on interleaved pairs of the first dimensions (CodeGen, Nijkamp et al. 2022,
 * arXiv:2203.13474). x [N, C] -> [N, C], or [M, C] for rows i32 [M].
 */
export class MossAttention extends RotaryAttention {
  qkv_proj: LinearLike
  out_proj: LinearLike

  constructor(config: MossConfig, layer: number) {
    super(config, layer)
    this.qkv_proj = new Linear(config.hidden, 3 * config.hidden)
    this.out_proj = new Linear(config.hidden, config.hidden)
  }

  protected forward(x: Tensor, step: Step, rows: Tensor | undefined): Tensor {
    const { heads } = this
    const [n, hidden] = [x.dim(0), x.dim(1)]
    const headDim = hidden / heads
    const fused = this.qkv_proj.call(x).reshape(n * 3 * heads, headDim)
    const part = (index: Tensor) => ops.gatherRows(fused, index).reshape(n, heads, headDim)
    const [q, k, v] = step.parts!
    return this.out_proj.call(this.attend([part(q), part(k), part(v)], step, rows))
  }
}

/** The same with a matrix each for q, k and v (GPT-J). x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export class GptjAttention extends RotaryAttention {
  k_proj: LinearLike
  v_proj: LinearLike
  q_proj: LinearLike
  out_proj: LinearLike

  constructor(config: MossConfig, layer: number) {
    super(config, layer)
    const { hidden } = config
    this.k_proj = new Linear(hidden, hidden)
    this.v_proj = new Linear(hidden, hidden)
    this.q_proj = new Linear(hidden, hidden)
    this.out_proj = new Linear(hidden, hidden)
  }

  protected forward(x: Tensor, step: Step, rows: Tensor | undefined): Tensor {
    const project = (projection: LinearLike) =>
      projection.call(x).reshape(x.dim(0), this.heads, x.dim(1) / this.heads)
    const qkv = [project(this.q_proj), project(this.k_proj), project(this.v_proj)] as const
    return this.out_proj.call(this.attend(qkv, step, rows))
  }
}
