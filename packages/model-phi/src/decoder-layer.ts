import { Module, ops, RMSNorm, type Tensor } from '@ift/tensor'
import { PhiAttention, type Step } from './attention.js'
import type { PhiConfig } from './config.js'
import { PhiMLP } from './mlp.js'

/** Pre-norm attention and feed-forward. x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export class PhiDecoderLayer extends Module<[x: Tensor, step: Step, rows?: Tensor], Tensor> {
  readonly self_attn: PhiAttention
  readonly mlp: PhiMLP
  readonly input_layernorm: RMSNorm
  readonly post_attention_layernorm: RMSNorm

  constructor(config: PhiConfig, layer: number) {
    super()
    this.self_attn = new PhiAttention(config, layer)
    this.mlp = new PhiMLP(config)
    this.input_layernorm = new RMSNorm(config.hidden, config.eps)
    this.post_attention_layernorm = new RMSNorm(config.hidden, config.eps)
  }

  protected forward(x: Tensor, step: Step, rows?: Tensor): Tensor {
    const residual = rows === undefined ? x : ops.gatherRows(x, rows)
    const h = this.self_attn.call(this.input_layernorm.call(x), step, residual, rows)
    return this.mlp.call(this.post_attention_layernorm.call(h), step.halves, h)
  }
}
