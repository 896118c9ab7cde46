import {
  noGrad,
  ops,
  PackedKv,
  promptLayout,
  scope,
  segments,
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
      const parts = segments(backend, [n - 1])
      const input = {
        ids: tensor(backend, Array.from(ids).slice(0, -1), [n - 1], 'i32'),
        positions: tensor(
          backend,
          Int32Array.from({ length: n - 1 }, (_, i) => i),
          [n - 1],
          'i32',
        ),
        segments: parts,
        kv: new PackedKv(parts),
        maxPosition: n - 1,
        ...(model.promptOf && { prompts: promptLayout(backend, [model.promptOf(ids)], [n - 1]) }),
      }
      const hidden = model.call(peft?.prepare?.(input) ?? input)
      return ops.logProbs(hidden, model.lmHead, tensor(backend, Array.from(ids).slice(1), [n - 1], 'i32'))
    }),
  )
  try {
    return [null, ...(await logProbs.read())]
  } finally {
    logProbs.release()
  }
}
