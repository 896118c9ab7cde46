import { LayerNorm, Linear, Module, ops, type KvSource, type LinearLike, type Tensor } from '@ift/tensor'
import type { Gpt2Config } from './config.js'

/** What every layer of a forward pass shares. */
export interface Step {
  readonly kv: KvSource
  /** Row indices i32 [N] of the queries, keys and values in what c_attn gives, seen as [3N, C]. */
  readonly parts: readonly [q: Tensor, k: Tensor, v: Tensor]
}

/** Causal self-attention, residual added. x [N, C], residual [M, C] -> [M, C]; rows i32 [M] says which rows go on. */
export class Gpt2Attention extends Module<
  [x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined],
  Tensor
> {
  c_attn: LinearLike
  c_proj: LinearLike
  readonly #heads: number
  readonly #layer: number
  readonly #scale: number

  constructor({ hidden, heads, scaleAttention, scaleByLayer }: Gpt2Config, layer: number) {
    super()
    this.c_attn = new Linear(hidden, 3 * hidden, { bias: true })
    this.c_proj = new Linear(hidden, hidden, { bias: true })
    this.#heads = heads
    this.#layer = layer
    this.#scale = (scaleAttention ? Math.sqrt(heads / hidden) : 1) / (scaleByLayer ? layer + 1 : 1)
  }

  protected forward(x: Tensor, { kv, parts }: Step, residual: Tensor, rows: Tensor | undefined): Tensor {
    const [n, hidden] = [x.dim(0), x.dim(1)]
    const fused = this.c_attn.call(x).reshape(3 * n, hidden)
    const part = (index: Tensor) => ops.gatherRows(fused, index).reshape(n, this.#heads, hidden / this.#heads)
    const [q, k, v] = [part(parts[0]), part(parts[1]), part(parts[2])]
    const y = kv.attend(this.#layer, q, k, v, { causal: true, scale: this.#scale }).reshape(n, hidden)
    return this.c_proj.call(rows === undefined ? y : ops.gatherRows(y, rows), residual)
  }
}

/** Feed-forward with GELU, residual added. x, residual [N, C] -> [N, C]. */
export class Gpt2Mlp extends Module<[x: Tensor, residual: Tensor], Tensor> {
  c_fc: LinearLike
  c_proj: LinearLike
  readonly #gelu: 'tanh' | 'erf'

  constructor({ hidden, intermediate, gelu }: Gpt2Config) {
    super()
    this.c_fc = new Linear(hidden, intermediate, { bias: true })
    this.c_proj = new Linear(intermediate, hidden, { bias: true })
    this.#gelu = gelu
  }

  protected forward(x: Tensor, residual: Tensor): Tensor {
    return this.c_proj.call(ops.gelu(this.c_fc.call(x), this.#gelu), residual)
  }
}

/** Pre-norm attention and feed-forward. x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export class Gpt2Block extends Module<[x: Tensor, step: Step, rows?: Tensor], Tensor> {
  readonly ln_1: LayerNorm
  readonly attn: Gpt2Attention
  readonly ln_2: LayerNorm
  readonly mlp: Gpt2Mlp

  constructor(config: Gpt2Config, layer: number) {
    super()
    this.ln_1 = new LayerNorm(config.hidden, config.eps)
    this.attn = new Gpt2Attention(config, layer)
    this.ln_2 = new LayerNorm(config.hidden, config.eps)
    this.mlp = new Gpt2Mlp(config)
  }

  protected forward(x: Tensor, step: Step, rows?: Tensor): Tensor {
    const normed = this.ln_1.call(x)
    const h = this.attn.call(normed, step, rows === undefined ? x : ops.gatherRows(x, rows), rows)
    return this.mlp.call(this.ln_2.call(h), h)
  }
}
