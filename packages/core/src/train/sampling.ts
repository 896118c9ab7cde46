import type { SampledAnswer } from '../contract/train.js'

/** Answers of a model to fixed prompts while it is trained. Nothing of the training depends on them. */
export interface Sampling {
  /** Whether the prompts are of data that are held out, and that may still be made. */
  readonly readsHeldOut: boolean
  /** The answers of the model as it is now, in the order of the prompts; null when `signal` ended them. */
  answers(step: number, signal?: AbortSignal): Promise<readonly SampledAnswer[] | null>
}
