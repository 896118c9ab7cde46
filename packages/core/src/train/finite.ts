import { IftError } from '@ift/tensor'

/** Throws `IFT_TRAIN_NONFINITE` for a step whose loss or gradient is not a number. */
export function requireFinite(step: number, loss: number, norm: number): void {
  if (Number.isFinite(loss) && Number.isFinite(norm)) return
  throw new IftError(
    'IFT_TRAIN_NONFINITE',
    `Step ${step} gave loss ${loss} and gradient norm ${norm}; training on would spoil the weights.`,
    'The last checkpoint is intact. Lower train.learningRate, raise warmupSteps, or use dtype f32, then --resume.',
  )
}
