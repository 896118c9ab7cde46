import { Module, ops, type Tensor } from '@ift/tensor'
import { GemmaAttention, type Step } from './attention.js'
import type { GemmaConfig } from './config.js'
import { GemmaMLP } from './mlp.js'
import { GemmaRMSNorm } from './norm.js'

/** x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export type GemmaLayer = Module<[x: Tensor, step: Step, rows?: Tensor], Tensor>

/** Pre-norm attention and feed-forward (Gemma). x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export class GemmaDecoderLayer extends Module<[x: Tensor, step: Step, rows?: Tensor], Tensor> {
  readonly self_attn: GemmaAttention
  readonly mlp: GemmaMLP
  readonly input_layernorm: GemmaRMSNorm
  readonly post_attention_layernorm: GemmaRMSNorm

  constructor(config: GemmaConfig, layer: number) {
    super()
    this.self_attn = new GemmaAttention(config, layer)
    this.mlp = new GemmaMLP(config)
    this.input_layernorm = new GemmaRMSNorm(config.hidden, config.eps)
    this.post_attention_layernorm = new GemmaRMSNorm(config.hidden, config.eps)
  }

  protected forward(x: Tensor, step: Step, rows?: Tensor): Tensor {
    const residual = rows === undefined ? x : ops.gatherRows(x, rows)
    const h = this.self_attn.call(this.input_layernorm.call(x), step, residual, rows)
    return this.mlp.call(this.post_attention_layernorm.call(h), h)
  }
}

/**
 * Norms before and behind attention and feed-forward (Gemma 3). x [N, C] -> [N, C], or [M, C] for rows i32 [M].
 */
export class Gemma3DecoderLayer extends Module<[x: Tensor, step: Step, rows?: Tensor], Tensor> {
  readonly self_attn: GemmaAttention
  readonly mlp: GemmaMLP
  readonly input_layernorm: GemmaRMSNorm
  readonly post_attention_layernorm: GemmaRMSNorm
  readonly pre_feedforward_layernorm: GemmaRMSNorm
  readonly post_feedforward_layernorm: GemmaRMSNorm

  constructor(config: GemmaConfig, layer: number) {
    super()
    const norm = () => new GemmaRMSNorm(config.hidden, config.eps)
    this.self_attn = new GemmaAttention(config, layer)
    this.mlp = new GemmaMLP(config)
    this.input_layernorm = norm()
    this.post_attention_layernorm = norm()
    this.pre_feedforward_layernorm = norm()
    this.post_feedforward_layernorm = norm()
  }

  protected forward(x: Tensor, step: Step, rows?: Tensor): Tensor {
    const residual = rows === undefined ? x : ops.gatherRows(x, rows)
    const attended = this.self_attn.call(this.input_layernorm.call(x), step, undefined, rows)
    const h = ops.add(residual, this.post_attention_layernorm.call(attended))
    const fed = this.mlp.call(this.pre_feedforward_layernorm.call(h))
    return ops.add(h, this.post_feedforward_layernorm.call(fed))
  }
}
