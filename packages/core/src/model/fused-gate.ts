import { ops, type ForwardInput, type Tensor } from '@ift/tensor'
import type { DecoderStep } from './decoder-step.js'
import { consecutive, fusedRows, splitFused } from './fused-rows.js'

/** Gate, then up. */
const layout = consecutive(1, 1)

/** Row indices of gate and up in what one matrix gives for both, [N, 2F] seen as [2N, F]. */
export interface FusedGateStep extends DecoderStep {
  readonly gateUp: {
    readonly all: readonly Tensor[]
    /** For the rows alone that leave the last layer. */
    readonly wanted: readonly Tensor[]
  }
}

/** The indices for one pass. */
export function gateUpRows(input: ForwardInput): FusedGateStep['gateUp'] {
  const all = fusedRows(input, layout)
  const { outputRows } = input
  return { all, wanted: outputRows === undefined ? all : fusedRows(input, layout, outputRows.size) }
}

/** SwiGLU (Shazeer 2020, arXiv:2002.05202) of gate and up from one matrix. fused [M, 2F] -> [M, F] */
export function fusedSwiglu(fused: Tensor, { gateUp }: FusedGateStep, rows: Tensor | undefined): Tensor {
  const [gate, up] = splitFused(fused, rows === undefined ? gateUp.all : gateUp.wanted)
  return ops.swiglu(gate!, up!)
}
