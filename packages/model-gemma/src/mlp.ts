import { Linear, Module, ops, type LinearLike, type Tensor } from '@ift/tensor'
import type { GemmaConfig } from './config.js'

/**
 * Feed-forward gated by a GELU (GEGLU, Shazeer 2020, arXiv:2002.05202). x [N, C], residual [N, C] or none -> [N, C].
 */
export class GemmaMLP extends Module<[x: Tensor, residual?: Tensor], Tensor> {
  gate_proj: LinearLike
  up_proj: LinearLike
  down_proj: LinearLike

  constructor({ hidden, intermediate }: GemmaConfig) {
    super()
    this.gate_proj = new Linear(hidden, intermediate)
    this.up_proj = new Linear(hidden, intermediate)
    this.down_proj = new Linear(intermediate, hidden)
  }

  protected forward(x: Tensor, residual?: Tensor): Tensor {
    const gate = ops.gelu(this.gate_proj.call(x), 'tanh')
    return this.down_proj.call(ops.mul(gate, this.up_proj.call(x)), residual)
  }
}
