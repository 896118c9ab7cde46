import { addResidual, type AttentionLayer, type FeedForwardLayer } from '@ift/core/model'
import { Module, ops, type Tensor } from '@ift/tensor'
import type { GemmaStep } from './attention.js'
import type { GemmaRMSNorm } from './norm.js'

/**
 * Norms before and behind attention and feed-forward (Gemma 3). x [N, C] -> [N, C], or [M, C] for rows i32 [M].
 */
export class Gemma3DecoderLayer extends Module<[x: Tensor, step: GemmaStep, rows?: Tensor], Tensor> {
  readonly self_attn: AttentionLayer<GemmaStep>
  readonly mlp: FeedForwardLayer<GemmaStep>
  readonly input_layernorm: GemmaRMSNorm
  readonly post_attention_layernorm: GemmaRMSNorm
  readonly pre_feedforward_layernorm: GemmaRMSNorm
  readonly post_feedforward_layernorm: GemmaRMSNorm

  constructor(
    attention: AttentionLayer<GemmaStep>,
    mlp: FeedForwardLayer<GemmaStep>,
    norm: () => GemmaRMSNorm,
  ) {
    super()
    this.self_attn = attention
    this.mlp = mlp
    this.input_layernorm = norm()
    this.post_attention_layernorm = norm()
    this.pre_feedforward_layernorm = norm()
    this.post_feedforward_layernorm = norm()
  }

  protected forward(x: Tensor, step: GemmaStep, rows?: Tensor): Tensor {
    const residual = rows === undefined ? x : ops.gatherRows(x, rows)
    const attended = this.self_attn.call(this.input_layernorm.call(x), step, undefined, rows)
    const h = addResidual(residual, this.post_attention_layernorm.call(attended))
    const fed = this.mlp.call(this.pre_feedforward_layernorm.call(h), undefined, step, rows)
    return addResidual(h, this.post_feedforward_layernorm.call(fed))
  }
}
