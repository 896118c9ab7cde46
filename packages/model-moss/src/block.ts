import type { FusedHeadsStep, RotaryStep } from '@ift/core/model'
import { LayerNorm, Module, ops, type Tensor } from '@ift/tensor'
import { GptjAttention, MossAttention } from './attention.js'
import type { MossConfig } from './config.js'
import { MossMLP } from './mlp.js'

/** What every layer of a forward pass shares. */
export type MossStep = RotaryStep & FusedHeadsStep

/** Attention and feed-forward side by side behind one norm. x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export class MossBlock extends Module<[x: Tensor, step: MossStep, rows?: Tensor], Tensor> {
  readonly ln_1: LayerNorm
  readonly attn: MossAttention | GptjAttention
  readonly mlp: MossMLP

  constructor(config: MossConfig, layer: number) {
    super()
    this.ln_1 = new LayerNorm(config.hidden, config.eps)
    this.attn = config.fused ? new MossAttention(config, layer) : new GptjAttention(config, layer)
    this.mlp = new MossMLP(config)
  }

  protected forward(x: Tensor, step: MossStep, rows?: Tensor): Tensor {
    const normed = this.ln_1.call(x)
    const [input, residual] =
      rows === undefined ? [normed, x] : [ops.gatherRows(normed, rows), ops.gatherRows(x, rows)]
    return this.mlp.call(input, this.attn.call(normed, step, residual, rows))
  }
}
