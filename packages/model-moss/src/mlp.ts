import { Linear, Module, ops, type LinearLike, type Tensor } from '@ift/tensor'
import type { MossConfig } from './config.js'

/** Feed-forward with GELU in its tanh form, residual added. x, residual [N, C] -> [N, C]. */
export class MossMLP extends Module<[x: Tensor, residual?: Tensor], Tensor> {
  fc_in: LinearLike
  fc_out: LinearLike

  constructor({ hidden, intermediate }: MossConfig) {
    super()
    this.fc_in = new Linear(hidden, intermediate, { bias: true })
    this.fc_out = new Linear(intermediate, hidden, { bias: true })
  }

  protected forward(x: Tensor, residual?: Tensor): Tensor {
    return this.fc_out.call(ops.gelu(this.fc_in.call(x), 'tanh'), residual)
  }
}
