import { gateUpRows, rotationOf, stepOf, type FusedGateStep, type RotaryStep } from '@ift/core/model'
import type { ForwardInput } from '@ift/tensor'
import type { GlmConfig } from './config.js'

/** What the layers of ChatGLM2 and its successors share in a pass; pairs (2i, 2i + 1) of the first dimensions turn. */
export const glmStep = (
  input: ForwardInput,
  { rotaryDims, ropeTheta: theta }: GlmConfig,
): RotaryStep & FusedGateStep => ({
  ...stepOf(input),
  rotation: { ...rotationOf(input, { kind: 'default', theta }, rotaryDims), interleaved: true },
  gateUp: gateUpRows(input),
})
