import { Linear, Module, ops, type LinearLike, type Tensor } from '@ift/tensor'

export interface GatedMLPOptions {
  readonly bias?: boolean
  /** What gate and up, [N, F] each, make together; SwiGLU when omitted. */
  readonly gate?: (gate: Tensor, up: Tensor) => Tensor
}

/**
 * Gated feed-forward (Shazeer 2020, arXiv:2002.05202) under LLaMA's names, residual added where there is one.
 * x, residual [N, C] -> [N, C].
 */
export class GatedMLP extends Module<[x: Tensor, residual?: Tensor], Tensor> {
  gate_proj: LinearLike
  up_proj: LinearLike
  down_proj: LinearLike
  readonly #gate: (gate: Tensor, up: Tensor) => Tensor

  constructor(
    { hidden, intermediate }: { readonly hidden: number; readonly intermediate: number },
    { bias, gate = ops.swiglu }: GatedMLPOptions = {},
  ) {
    super()
    this.gate_proj = new Linear(hidden, intermediate, { bias })
    this.up_proj = new Linear(hidden, intermediate, { bias })
    this.down_proj = new Linear(intermediate, hidden, { bias })
    this.#gate = gate
  }

  protected forward(x: Tensor, residual?: Tensor): Tensor {
    const gated = this.#gate(this.gate_proj.call(x), this.up_proj.call(x))
    return this.down_proj.call(gated, residual)
  }
}
