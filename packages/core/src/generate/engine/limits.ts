import { IftError } from '@ift/tensor'

/** How much an engine does at a time. */
export interface EngineLimits {
  /** Tokens of a step: one of each sequence that is being continued, and of prompts as many as are left. */
  readonly tokensPerStep: number
  /** Sequences at a time; each beam is one. */
  readonly maxSequences: number
}

/** On a processor a step of some hundred tokens takes about a tenth of a second for a model of 135M parameters. */
const limitsOf = (device: string): EngineLimits =>
  device === 'cuda' ? { tokensPerStep: 2048, maxSequences: 128 } : { tokensPerStep: 256, maxSequences: 16 }

/** Fills in what is not given. Throws IFT_ARGUMENT for a limit below 1. */
export function engineLimits(device: string, given: Partial<EngineLimits> = {}): EngineLimits {
  const limits = { ...limitsOf(device), ...given }
  for (const [name, value] of Object.entries(limits))
    if (!(Number.isInteger(value) && value >= 1))
      throw new IftError('IFT_ARGUMENT', `Engine: ${name} expected a whole number from 1 on, found ${value}.`)
  return limits
}
