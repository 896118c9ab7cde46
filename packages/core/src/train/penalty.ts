import { backward, keep, scope, zeros, type Backend, type Tensor } from '@ift/tensor'
import type { Ranks } from '../distributed/ranks.js'
import type { PeftHandle } from '../contract/index.js'

/**
 * Adds the penalty of a method to the loss of a step, f32 [1], and its gradient to the gradients. Its value is f32 [1], for
 * the caller to release; null where the method has none. Gradients and losses of ranks are summed, so the first one alone
 * counts it: on the others the value is 0.
 */
export function addPenalty(
  backend: Backend,
  peft: PeftHandle | null,
  loss: Tensor,
  ranks: Ranks | null,
): Tensor | null {
  if (!peft?.penalty) return null
  const value = keep(zeros(backend, [1], 'f32'))
  if (ranks && !ranks.isFirst) return value
  scope(() => {
    const penalty = peft.penalty!()
    for (const sum of [loss, value]) backend.axpby(sum.buf, 1, sum.buf, 1, penalty.buf, 1, 'f32')
    backward(penalty)
  })
  return value
}
