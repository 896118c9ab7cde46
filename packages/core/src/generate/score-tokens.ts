import {
  behindVirtualTokens,
  forwardInput,
  noGrad,
  ops,
  promptsOf,
  scope,
  tensor,
  type Backend,
  type CausalLM,
} from '@ift/tensor'
import type { PeftHandle } from '../contract/index.js'

/** log p(id | before) in nats of every token of a sequence; the first has none and is null. */
export async function scoreTokens(
  backend: Backend,
  model: CausalLM,
  peft: PeftHandle | null,
  ids: ArrayLike<number>,
): Promise<(number | null)[]> {
  const n = ids.length
  if (n < 2) return Array.from({ length: n }, () => null)
  const logProbs = noGrad(() =>
    scope(() => {
      const whole = {
        ids: Array.from(ids).slice(0, -1),
        lengths: [n - 1],
        prompts: promptsOf(model, [ids]),
      }
      const hidden = model.call(
        forwardInput(backend, behindVirtualTokens(backend, model, peft?.prefix, whole)),
      )
      return ops.logProbs(hidden, model.lmHead, tensor(backend, Array.from(ids).slice(1), [n - 1], 'i32'))
    }),
  )
  try {
    return [null, ...(await logProbs.read())]
  } finally {
    logProbs.release()
  }
}
