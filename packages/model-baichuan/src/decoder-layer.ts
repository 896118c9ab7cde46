import { Module, ops, RMSNorm, type Tensor } from '@ift/tensor'
import { BaichuanAttention, type Step } from './attention.js'
import type { BaichuanConfig } from './config.js'
import { BaichuanMLP } from './mlp.js'

/** Pre-norm attention and feed-forward. x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export class BaichuanDecoderLayer extends Module<[x: Tensor, step: Step, rows?: Tensor], Tensor> {
  readonly self_attn: BaichuanAttention
  readonly mlp: BaichuanMLP
  readonly input_layernorm: RMSNorm
  readonly post_attention_layernorm: RMSNorm

  constructor(config: BaichuanConfig, layer: number) {
    super()
    this.self_attn = new BaichuanAttention(config, layer)
    this.mlp = new BaichuanMLP(config)
    this.input_layernorm = new RMSNorm(config.hidden, config.eps)
    this.post_attention_layernorm = new RMSNorm(config.hidden, config.eps)
  }

  protected forward(x: Tensor, step: Step, rows?: Tensor): Tensor {
    const normed = this.input_layernorm.call(x)
    const residual = rows === undefined ? x : ops.gatherRows(x, rows)
    const h = this.self_attn.call(normed, step, residual, rows)
    return this.mlp.call(this.post_attention_layernorm.call(h), h)
  }
}
