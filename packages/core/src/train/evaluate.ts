import { noGrad, ops, type Backend, type CausalLM } from '@ift/tensor'
import type { PackedBatch } from '../contract/data.js'
import type { Ranks } from '../distributed/ranks.js'
import type { PeftHandle } from '../contract/index.js'
import { forwardBatch } from './forward.js'

/** Mean loss in nats over all targets of the batches, and the tokens read; of all ranks, each with its own batches. */
export async function evaluateLoss(
  backend: Backend,
  model: CausalLM,
  peft: PeftHandle | null,
  batches: Iterable<PackedBatch>,
  ranks: Ranks | null = null,
): Promise<{ readonly loss: number; readonly tokens: number }> {
  let sum = 0
  let trained = 0
  let tokens = 0
  for (const batch of batches) {
    if (batch.trainedTokens === 0) continue
    const loss = noGrad(() =>
      forwardBatch({ backend, model, peft }, batch, ({ hidden, targets }) => {
        trained += targets.size
        return ops.linearCrossEntropy(hidden, model.lmHead, targets, { gradScale: 1 })
      }),
    )
    sum += (await loss.read())[0]!
    loss.release()
    tokens += batch.ids.length
  }
  if (ranks) [sum, trained, tokens] = (await ranks.sum([sum, trained, tokens])) as [number, number, number]
  return { loss: trained ? sum / trained : Number.NaN, tokens }
}
