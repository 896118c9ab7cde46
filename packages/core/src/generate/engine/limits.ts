import { IftError } from '@ift/tensor'

/** How much an engine does at a time. */
export interface EngineLimits {
  /** Tokens of a step: one of each sequence that is being continued, and of prompts as many as are left. */
  readonly tokensPerStep: number
  /** Tokens of prompts in a step that goes on with answers too, which wait for it; four for each of these where that is more. */
  readonly promptTokensPerStep: number
  /** Sequences at a time; each beam is one. */
  readonly maxSequences: number
}

/**
 * On a processor 256 tokens take as long as twenty steps of one token, and 64 as long as five: few enough for a stream to stay even, and enough
 * to keep its products busy.
 */
const limitsOf = (device: string): EngineLimits =>
  device === 'cuda'
    ? { tokensPerStep: 2048, promptTokensPerStep: 2048, maxSequences: 128 }
    : { tokensPerStep: 256, promptTokensPerStep: 64, maxSequences: 16 }

/** Fills in what is not given. Throws IFT_ARGUMENT for a limit below 1. */
export function engineLimits(device: string, given: Partial<EngineLimits> = {}): EngineLimits {
  const limits = { ...limitsOf(device), ...given }
  for (const [name, value] of Object.entries(limits))
    if (!(Number.isInteger(value) && value >= 1))
      throw new IftError('IFT_ARGUMENT', `Engine: ${name} expected a whole number from 1 on, found ${value}.`)
  return limits
}
