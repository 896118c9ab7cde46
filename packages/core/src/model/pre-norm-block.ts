import { Module, ops, type Tensor } from '@ift/tensor'
import type { AttentionLayer, DecoderStep, FeedForwardLayer, NormLayer } from './decoder-step.js'

export interface PreNormParts<S extends DecoderStep> {
  readonly attentionNorm: NormLayer
  readonly attention: AttentionLayer<S>
  readonly mlpNorm: NormLayer
  readonly mlp: FeedForwardLayer<S>
}

/**
 * h = x + attention(norm(x)), then h + mlp(norm(h)) (Xiong et al. 2020, arXiv:2002.04745). x [N, C] -> [N, C], or [M, C] for
 * rows i32 [M].
 */
export abstract class PreNormBlock<S extends DecoderStep> extends Module<
  [x: Tensor, step: S, rows?: Tensor],
  Tensor
> {
  protected abstract parts(): PreNormParts<S>

  protected forward(x: Tensor, step: S, rows?: Tensor): Tensor {
    const { attentionNorm, attention, mlpNorm, mlp } = this.parts()
    const normed = attentionNorm.call(x)
    const residual = rows === undefined ? x : ops.gatherRows(x, rows)
    const h = attention.call(normed, step, residual, rows)
    return mlp.call(mlpNorm.call(h), h, step, rows)
  }
}
