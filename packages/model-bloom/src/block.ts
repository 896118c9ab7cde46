import { LayerNorm, Module, ops, type Tensor } from '@ift/tensor'
import { BloomAttention, type BloomStep } from './attention.js'
import type { BloomConfig } from './config.js'
import { BloomMLP } from './mlp.js'

/** Attention and feed-forward, each behind a norm. x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export class BloomBlock extends Module<[x: Tensor, step: BloomStep, rows?: Tensor], Tensor> {
  readonly input_layernorm: LayerNorm
  readonly self_attention: BloomAttention
  readonly post_attention_layernorm: LayerNorm
  readonly mlp: BloomMLP
  readonly #residualAfterNorm: boolean

  constructor(config: BloomConfig, layer: number) {
    super()
    this.input_layernorm = new LayerNorm(config.hidden, config.eps)
    this.self_attention = new BloomAttention(config, layer)
    this.post_attention_layernorm = new LayerNorm(config.hidden, config.eps)
    this.mlp = new BloomMLP(config)
    this.#residualAfterNorm = config.residualAfterNorm
  }

  protected forward(x: Tensor, step: BloomStep, rows?: Tensor): Tensor {
    const afterNorm = this.#residualAfterNorm
    const normed = this.input_layernorm.call(x)
    const base = afterNorm ? normed : x
    const residual = rows === undefined ? base : ops.gatherRows(base, rows)
    const h = this.self_attention.call(normed, step, residual, rows)
    const again = this.post_attention_layernorm.call(h)
    return this.mlp.call(again, afterNorm ? again : h)
  }
}
