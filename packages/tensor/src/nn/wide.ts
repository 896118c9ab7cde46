import { cast } from '../ops/cast.js'
import { isForwardOnly } from '../tensor/tape.js'
import type { Tensor } from '../tensor/tensor.js'

/** Whether what is made of x is computed in f32 wherever that is cheap: on a device that asks for it, and without gradients. */
export const isWide = (x: Pick<Tensor, 'backend'>): boolean =>
  x.backend.wideResidual === true && isForwardOnly()

/** Hidden states [N, C] as layers pass them on: in f32 where that is cheap (`isWide`), else as they are. An alias, or another tensor. */
export const residualOf = (x: Tensor): Tensor => (isWide(x) ? cast(x, 'f32') : x.alias())
