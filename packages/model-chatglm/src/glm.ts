import {
  addResidual,
  DecoderForCausalLM,
  DecoderModel,
  FusedGatedMLP,
  languageHead,
  PreNormLayer,
  RotaryAttention,
  type AttentionLayer,
  type FeedForwardLayer,
  type FusedGateStep,
  type NormLayer,
  type RotaryStep,
} from '@ift/core/model'
import { Module, ops, RMSNorm, type Tensor } from '@ift/tensor'
import type { GlmConfig } from './config.js'
import { glmStep } from './step.js'

/** What every layer of a forward pass shares. */
type Step = RotaryStep & FusedGateStep

/**
 * What attention and feed-forward give is normed before it is added (GLM-4-0414). x [N, C] -> [N, C], or [M, C] for rows
 * i32 [M].
 */
class Glm4DecoderLayer extends Module<[x: Tensor, step: Step, rows?: Tensor], Tensor> {
  readonly self_attn: AttentionLayer<Step>
  readonly mlp: FeedForwardLayer<Step>
  readonly input_layernorm: NormLayer
  readonly post_attention_layernorm: NormLayer
  readonly post_self_attn_layernorm: NormLayer
  readonly post_mlp_layernorm: NormLayer

  constructor(attention: AttentionLayer<Step>, mlp: FeedForwardLayer<Step>, norm: () => NormLayer) {
    super()
    this.self_attn = attention
    this.mlp = mlp
    this.input_layernorm = norm()
    this.post_attention_layernorm = norm()
    this.post_self_attn_layernorm = norm()
    this.post_mlp_layernorm = norm()
  }

  protected forward(x: Tensor, step: Step, rows?: Tensor): Tensor {
    const normed = this.input_layernorm.call(x)
    const residual = rows === undefined ? x : ops.gatherRows(x, rows)
    const attended = this.self_attn.call(normed, step, undefined, rows)
    const h = addResidual(residual, this.post_self_attn_layernorm.call(attended))
    const fed = this.mlp.call(this.post_attention_layernorm.call(h), undefined, step, rows)
    return addResidual(h, this.post_mlp_layernorm.call(fed))
  }
}

/** GLM-4 (Zeng et al. 2024, arXiv:2406.12793) and GLM-4-0414 under the names of transformers. */
export class GlmForCausalLM extends DecoderForCausalLM<Step> {
  constructor(config: GlmConfig) {
    const norm = () => new RMSNorm(config.hidden, config.eps)
    const Layer = config.outputNorms ? Glm4DecoderLayer : PreNormLayer<Step>
    const model = new DecoderModel<Step>(config, {
      layer: (index) =>
        new Layer(
          new RotaryAttention(config, index, { bias: config.qkvBias }),
          new FusedGatedMLP(config),
          norm,
        ),
      norm,
      step: (input) => glmStep(input, config),
    })
    super(model, languageHead(config, model.embed_tokens))
  }
}
