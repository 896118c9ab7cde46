import { FusedAttention, type FusedHeadsStep } from '@ift/core/model'
import { Linear, ops, type LinearLike, type RopeOptions, type Tensor } from '@ift/tensor'
import type { BaichuanConfig } from './config.js'

/** What every layer of a forward pass shares. */
export interface BaichuanStep extends FusedHeadsStep {
  /** Absent with ALiBi. */
  readonly rotation?: RopeOptions
  /** f32 [heads]; absent with rotary positions. */
  readonly alibiSlopes?: Tensor
}

/** Attention from one matrix with rotary positions or ALiBi. Shapes are those of `CausalAttention`. */
export class BaichuanAttention extends FusedAttention<BaichuanStep> {
  W_pack: LinearLike
  o_proj: LinearLike

  constructor({ hidden, headDim }: BaichuanConfig, layer: number) {
    super(layer, headDim)
    this.W_pack = new Linear(hidden, 3 * hidden)
    this.o_proj = new Linear(hidden, hidden)
  }

  protected parts() {
    return { input: this.W_pack, output: this.o_proj }
  }

  protected override turn(heads: Tensor, { positions, rotation }: BaichuanStep): Tensor {
    return rotation === undefined ? heads : ops.rope(heads, positions, rotation)
  }

  protected override visibility({ alibiSlopes }: BaichuanStep): { alibiSlopes: Tensor | undefined } {
    return { alibiSlopes }
  }
}
