import { Linear, Module, ops, type LinearLike, type Tensor } from '@ift/tensor'
import type { Step } from './attention.js'
import type { PhiConfig } from './config.js'

/**
 * SwiGLU feed-forward (Shazeer 2020, arXiv:2002.05202) from one matrix, gate first; residual added. x, residual [N, C] -> [N, C].
 */
export class PhiMLP extends Module<[x: Tensor, halves: Step['halves'], residual: Tensor], Tensor> {
  gate_up_proj: LinearLike
  down_proj: LinearLike

  constructor({ hidden, intermediate }: PhiConfig) {
    super()
    this.gate_up_proj = new Linear(hidden, 2 * intermediate)
    this.down_proj = new Linear(intermediate, hidden)
  }

  protected forward(x: Tensor, [gate, up]: Step['halves'], residual: Tensor): Tensor {
    const halves = this.gate_up_proj.call(x).reshape(2 * x.dim(0), -1)
    const gated = ops.swiglu(ops.gatherRows(halves, gate), ops.gatherRows(halves, up))
    return this.down_proj.call(gated, residual)
  }
}
