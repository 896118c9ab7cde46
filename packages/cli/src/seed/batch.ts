import { numberOf } from './flags.js'

/** The original's defaults. */
const defaults = { per_gpu_train_batch_size: 4, gradient_accumulation_steps: 32 }

const isFactor = (flag: string): flag is keyof typeof defaults => Object.hasOwn(defaults, flag)

/**
 * Sequences of an optimiser step as the original counts them: sequences of a process, times steps that are accumulated, times
 * processes. A line names one of the first two at least; the other is at its default.
 */
export class SeedBatch {
  readonly #given: Partial<typeof defaults> = {}

  /** Whether the flag is a factor, which is then kept. */
  take(flag: string, values: () => readonly string[]): boolean {
    if (!isFactor(flag)) return false
    this.#given[flag] = numberOf(flag, values())
    return true
  }

  /** train.batchSize and how it came about; null for a line with neither factor. */
  size(processes: number): { readonly value: number; readonly note: string | null } | null {
    if (!Object.keys(this.#given).length) return null
    const { per_gpu_train_batch_size: own, gradient_accumulation_steps: steps } = {
      ...defaults,
      ...this.#given,
    }
    const value = own * steps * processes
    const note = `${own} sequences × ${steps} accumulated × ${processes} processes: train.batchSize ${value}`
    return { value, note: processes > 1 ? note : null }
  }
}
