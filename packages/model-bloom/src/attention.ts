import { FusedAttention, type FusedHeadsStep } from '@ift/core/model'
import { Linear, type LinearLike, type Tensor } from '@ift/tensor'
import type { BloomConfig } from './config.js'

/** What every layer of a forward pass shares. */
export interface BloomStep extends FusedHeadsStep {
  /** f32 [heads] */
  readonly alibiSlopes: Tensor
}

/**
 * Attention with linear biases in place of positions (ALiBi). The fused projection holds q, k and v of one head side by side.
 * Shapes are those of `CausalAttention`.
 */
export class BloomAttention extends FusedAttention<BloomStep> {
  query_key_value: LinearLike
  dense: LinearLike

  constructor({ hidden, heads }: BloomConfig, layer: number) {
    super(layer, hidden / heads)
    this.query_key_value = new Linear(hidden, 3 * hidden, { bias: true })
    this.dense = new Linear(hidden, hidden, { bias: true })
  }

  protected parts() {
    return { input: this.query_key_value, output: this.dense }
  }

  protected override visibility({ alibiSlopes }: BloomStep) {
    return { alibiSlopes }
  }
}
