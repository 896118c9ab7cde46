import type { PeftMethod } from '../contract/peft.js'
import { PeftBench, type PeftBase, type PeftConformanceOptions, type PeftModel } from './peft-bench.js'
import { decoding, scoring } from './peft-decoding.js'
import { saving } from './peft-files.js'
import { merging } from './peft-merging.js'
import { differences, learning, refusal } from './peft-training.js'

export interface PeftTrialOptions extends Omit<PeftConformanceOptions, 'models'> {
  readonly base: PeftBase
}

/** How a method does on one model and base. */
export interface PeftTrial {
  /** Why it cannot be put onto this base; null where it can. */
  readonly refused: string | null
  /** Why it cannot be folded into the weights; null where it was. */
  readonly unmerged: string | null
}

/**
 * The life of an adapter on one model and base: it learns, generates greedily, in batches and by beams, scores, is saved and loaded,
 * and merged. The last four are compared with whole forward passes, and the gradients of an f32 base with finite differences.
 * IFT_CONFORMANCE says what is wrong.
 */
export async function peftTrial(
  method: PeftMethod,
  model: PeftModel,
  { base, ...options }: PeftTrialOptions,
): Promise<PeftTrial> {
  const bench = new PeftBench(method, model, options, base)
  const refused = await refusal(bench)
  if (refused !== null) return { refused, unmerged: null }
  await learning(bench)
  if (base === 'f32') await differences(bench)
  await decoding(bench)
  await scoring(bench)
  await saving(bench)
  return { refused, unmerged: await merging(bench) }
}
