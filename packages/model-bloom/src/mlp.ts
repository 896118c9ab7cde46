import { Linear, Module, ops, type LinearLike, type Tensor } from '@ift/tensor'
import type { BloomConfig } from './config.js'

/** Feed-forward with GELU in its tanh form, residual added. x, residual [N, C] -> [N, C]. */
export class BloomMLP extends Module<[x: Tensor, residual?: Tensor], Tensor> {
  dense_h_to_4h: LinearLike
  dense_4h_to_h: LinearLike

  constructor({ hidden }: BloomConfig) {
    super()
    this.dense_h_to_4h = new Linear(hidden, 4 * hidden, { bias: true })
    this.dense_4h_to_h = new Linear(4 * hidden, hidden, { bias: true })
  }

  protected forward(x: Tensor, residual?: Tensor): Tensor {
    return this.dense_4h_to_h.call(ops.gelu(this.dense_h_to_4h.call(x), 'tanh'), residual)
  }
}
