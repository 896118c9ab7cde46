import { Linear, Module, ops, type LinearLike, type Tensor } from '@ift/tensor'
import type { BaichuanConfig } from './config.js'

/** SwiGLU feed-forward (Shazeer 2020, arXiv:2002.05202), residual added. x, residual [N, C] -> [N, C]. */
export class BaichuanMLP extends Module<[x: Tensor, residual: Tensor], Tensor> {
  gate_proj: LinearLike
  up_proj: LinearLike
  down_proj: LinearLike

  constructor({ hidden, intermediate }: BaichuanConfig) {
    super()
    this.gate_proj = new Linear(hidden, intermediate)
    this.up_proj = new Linear(hidden, intermediate)
    this.down_proj = new Linear(intermediate, hidden)
  }

  protected forward(x: Tensor, residual: Tensor): Tensor {
    return this.down_proj.call(ops.swiglu(this.gate_proj.call(x), this.up_proj.call(x)), residual)
  }
}
