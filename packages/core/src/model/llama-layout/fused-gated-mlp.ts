import { Linear, Module, type LinearLike, type Tensor } from '@ift/tensor'
import { fusedSwiglu, type FusedGateStep } from '../fused-gate.js'

/**
 * SwiGLU feed-forward from one matrix, gate first, under the names that Phi-3 and GLM-4 give it; residual added where there is
 * one. x, residual [M, C] -> [M, C]; rows is given where x has the wanted rows alone.
 */
export class FusedGatedMLP extends Module<
  [x: Tensor, residual: Tensor | undefined, step: FusedGateStep, rows?: Tensor],
  Tensor
> {
  gate_up_proj: LinearLike
  down_proj: LinearLike

  constructor({ hidden, intermediate }: { readonly hidden: number; readonly intermediate: number }) {
    super()
    this.gate_up_proj = new Linear(hidden, 2 * intermediate)
    this.down_proj = new Linear(intermediate, hidden)
  }

  protected forward(x: Tensor, residual: Tensor | undefined, step: FusedGateStep, rows?: Tensor): Tensor {
    return this.down_proj.call(fusedSwiglu(this.gate_up_proj.call(x), step, rows), residual)
  }
}
