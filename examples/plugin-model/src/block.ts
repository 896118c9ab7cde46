import { FusedAttention, PreNormBlock, type FusedHeadsStep } from '@ift/core/model'
import { LayerNorm, Linear, Module, ops, type LinearLike, type Tensor } from '@ift/tensor'
import type { Gpt2Config } from './config.js'

/** Self-attention from one matrix: `FusedAttention` takes apart what it gives, attends, and projects back. */
class Gpt2Attention extends FusedAttention<FusedHeadsStep> {
  c_attn: LinearLike
  c_proj: LinearLike

  constructor({ hidden, heads, scaleAttention, scaleByLayer }: Gpt2Config, layer: number) {
    const scale = (scaleAttention ? Math.sqrt(heads / hidden) : 1) / (scaleByLayer ? layer + 1 : 1)
    super(layer, hidden / heads, scale)
    this.c_attn = new Linear(hidden, 3 * hidden, { bias: true })
    this.c_proj = new Linear(hidden, hidden, { bias: true })
  }

  protected parts() {
    return { input: this.c_attn, output: this.c_proj }
  }
}

/** Feed-forward with GELU, residual added. x, residual [N, C] -> [N, C]. */
class Gpt2Mlp extends Module<[x: Tensor, residual?: Tensor], Tensor> {
  c_fc: LinearLike
  c_proj: LinearLike
  readonly #gelu: 'tanh' | 'erf'

  constructor({ hidden, intermediate, gelu }: Gpt2Config) {
    super()
    this.c_fc = new Linear(hidden, intermediate, { bias: true })
    this.c_proj = new Linear(intermediate, hidden, { bias: true })
    this.#gelu = gelu
  }

  protected forward(x: Tensor, residual?: Tensor): Tensor {
    return this.c_proj.call(ops.gelu(this.c_fc.call(x), this.#gelu), residual)
  }
}

/** Pre-norm attention and feed-forward. x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export class Gpt2Block extends PreNormBlock<FusedHeadsStep> {
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

  protected parts() {
    return { attentionNorm: this.ln_1, attention: this.attn, mlpNorm: this.ln_2, mlp: this.mlp }
  }
}
