import { Linear, Module, ops, type LinearLike, type Tensor } from '@ift/tensor'
import type { InternLMConfig } from './config.js'

/** SwiGLU feed-forward (Shazeer 2020, arXiv:2002.05202), residual added. x, residual [N, C] -> [N, C]. */
export class InternLMMLP extends Module<[x: Tensor, residual: Tensor], Tensor> {
  gate_proj: LinearLike
  up_proj: LinearLike
  down_proj: LinearLike

  constructor({ hidden, intermediate }: InternLMConfig) {
    super()
    this.gate_proj = new Linear(hidden, intermediate)
    this.up_proj = new Linear(hidden, intermediate)
    this.down_proj = new Linear(intermediate, hidden)
  }

  protected forward(x: Tensor, residual: Tensor): Tensor {
    return this.down_proj.call(ops.swiglu(this.gate_proj.call(x), this.up_proj.call(x)), residual)
  }
}

/** The same under InternLM2's names: w1 is the gate, w3 goes up, w2 down. */
export class InternLM2MLP extends Module<[x: Tensor, residual: Tensor], Tensor> {
  w1: LinearLike
  w3: LinearLike
  w2: LinearLike

  constructor({ hidden, intermediate }: InternLMConfig) {
    super()
    this.w1 = new Linear(hidden, intermediate)
    this.w3 = new Linear(hidden, intermediate)
    this.w2 = new Linear(intermediate, hidden)
  }

  protected forward(x: Tensor, residual: Tensor): Tensor {
    return this.w2.call(ops.swiglu(this.w1.call(x), this.w3.call(x)), residual)
  }
}
