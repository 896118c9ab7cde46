import type { MixtureRow } from '@ift/core'
import type { Cell, ChangedAnswer } from './compare.js'
import type { ArmRun, Equality } from './runs.js'

/** `ablation.json`: what came of an ablation. */
export interface AblationReport {
  /** Of this layout. */
  readonly format: 1
  readonly ift: string
  /** ISO 8601. */
  readonly finished: string
  readonly model: string
  readonly method: string
  readonly device: string
  readonly equal: Equality
  readonly seeds: readonly number[]
  readonly arms: readonly {
    readonly name: string
    /** Sets that it lacks or has more than the whole. */
    readonly changed: readonly string[]
    /** `dir` is seen from the folder of the report. */
    readonly runs: readonly (Omit<ArmRun, 'kept' | 'mixture'> & {
      readonly mixture: readonly MixtureRow[]
      /** Seconds of its evaluation; those of an earlier call are not counted. */
      readonly evaluation: number
    })[]
  }[]
  readonly tasks: readonly {
    readonly name: string
    readonly version: string
    readonly metric: string
    readonly description: string
    readonly lowerIsBetter: boolean
    readonly items: number
  }[]
  /** Arms by tasks. */
  readonly cells: readonly Cell[]
  readonly changed: readonly ChangedAnswer[]
}
