import { FusedAttention, type FusedHeadsStep, type RotaryStep } from '@ift/core/model'
import { Linear, ops, type LinearLike, type Tensor } from '@ift/tensor'
import type { PhiConfig } from './config.js'

/** Attention from one matrix whose rows are all queries, then the keys, then the values. Shapes are those of `CausalAttention`. */
export class PhiAttention<S extends FusedHeadsStep & RotaryStep> extends FusedAttention<S> {
  qkv_proj: LinearLike
  o_proj: LinearLike

  constructor({ hidden, heads, kvHeads, headDim }: PhiConfig, layer: number) {
    super(layer, headDim)
    this.qkv_proj = new Linear(hidden, (heads + 2 * kvHeads) * headDim)
    this.o_proj = new Linear(heads * headDim, hidden)
  }

  protected parts() {
    return { input: this.qkv_proj, output: this.o_proj }
  }

  protected override turn(heads: Tensor, { positions, rotation }: S): Tensor {
    return ops.rope(heads, positions, rotation)
  }
}
