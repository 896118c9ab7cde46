import { FusedAttention, PreNormBlock, type FusedHeadsStep, type RotaryStep } from '@ift/core/model'
import { Linear, Module, ops, RMSNorm, type LinearLike, type Tensor } from '@ift/tensor'
import type { InternLMConfig } from './config.js'

/** What every layer of a forward pass shares. */
export type InternLM2Step = RotaryStep & FusedHeadsStep

/**
 * Grouped-query attention of InternLM2 (Cai et al. 2024, arXiv:2403.17297) from one matrix. Shapes are those of
 * `CausalAttention`.
 */
class InternLM2Attention extends FusedAttention<InternLM2Step> {
  wqkv: LinearLike
  wo: LinearLike

  constructor(config: InternLMConfig, layer: number) {
    const { hidden, heads, kvHeads, headDim, attentionBias: bias } = config
    super(layer, headDim)
    this.wqkv = new Linear(hidden, (heads + 2 * kvHeads) * headDim, { bias })
    this.wo = new Linear(heads * headDim, hidden, { bias })
  }

  protected parts() {
    return { input: this.wqkv, output: this.wo }
  }

  protected override turn(heads: Tensor, { positions, rotation }: InternLM2Step): Tensor {
    return ops.rope(heads, positions, rotation)
  }
}

/** SwiGLU feed-forward; w1 is the gate, w3 goes up, w2 down. x, residual [N, C] -> [N, C]. */
class InternLM2MLP extends Module<[x: Tensor, residual?: Tensor], Tensor> {
  w1: LinearLike
  w3: LinearLike
  w2: LinearLike

  constructor({ hidden, intermediate }: InternLMConfig) {
    super()
    this.w1 = new Linear(hidden, intermediate)
    this.w3 = new Linear(hidden, intermediate)
    this.w2 = new Linear(intermediate, hidden)
  }

  protected forward(x: Tensor, residual?: Tensor): Tensor {
    return this.w2.call(ops.swiglu(this.w1.call(x), this.w3.call(x)), residual)
  }
}

/** Pre-norm attention and feed-forward. x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export class InternLM2DecoderLayer extends PreNormBlock<InternLM2Step> {
  readonly attention: InternLM2Attention
  readonly feed_forward: InternLM2MLP
  readonly attention_norm: RMSNorm
  readonly ffn_norm: RMSNorm

  constructor(config: InternLMConfig, layer: number) {
    super()
    this.attention = new InternLM2Attention(config, layer)
    this.feed_forward = new InternLM2MLP(config)
    this.attention_norm = new RMSNorm(config.hidden, config.eps)
    this.ffn_norm = new RMSNorm(config.hidden, config.eps)
  }

  protected parts() {
    const { attention_norm: attentionNorm, attention, ffn_norm: mlpNorm, feed_forward: mlp } = this
    return { attentionNorm, attention, mlpNorm, mlp }
  }
}
