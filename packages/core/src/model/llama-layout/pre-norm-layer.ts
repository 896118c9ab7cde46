import type { AttentionLayer, DecoderStep, FeedForwardLayer, NormLayer } from '../decoder-step.js'
import { PreNormBlock, type PreNormParts } from '../pre-norm-block.js'

/** A pre-norm layer under LLaMA's names. x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export class PreNormLayer<S extends DecoderStep> extends PreNormBlock<S> {
  readonly self_attn: AttentionLayer<S>
  readonly mlp: FeedForwardLayer<S>
  readonly input_layernorm: NormLayer
  readonly post_attention_layernorm: NormLayer

  constructor(attention: AttentionLayer<S>, mlp: FeedForwardLayer<S>, norm: () => NormLayer) {
    super()
    this.self_attn = attention
    this.mlp = mlp
    this.input_layernorm = norm()
    this.post_attention_layernorm = norm()
  }

  protected parts(): PreNormParts<S> {
    const { input_layernorm: attentionNorm, self_attn: attention, mlp } = this
    return { attentionNorm, attention, mlpNorm: this.post_attention_layernorm, mlp }
  }
}
