import { rm } from 'node:fs/promises'
import { IftError } from '@ift/tensor'
import type { TrainResult } from '../contract/train.js'
import { writeFileAtomic } from '../files/atomic.js'
import type { RunFolder } from '../train/run-folder.js'
import { learningRate, type Schedule } from '../train/schedule/schedule.js'
import type { Plan } from '../train/plan.js'

/** Rates of a plan, at most: what a chart of some hundred pixels shows. */
const mostRates = 512

/** plan.json: what a run was planned to be when it was last begun. Steps between are 0 where there is never one. */
export interface RunPlan {
  readonly steps: number
  readonly epochs: number
  readonly sequences: number
  readonly heldOut: number
  readonly parameters: number
  readonly trainable: number
  readonly evalEvery: number
  readonly saveEvery: number
  readonly logEvery: number
  /** Null where no prompts are answered. */
  readonly samplesEvery: number | null
  readonly microBatchTokens: number
  readonly memory: Plan
  /** Bytes that the run could use; null where unknown. */
  readonly budget: number | null
  readonly device: string
  readonly dtype: string
  /** Rates of steps that are evenly spaced. */
  readonly learningRates: { readonly steps: readonly number[]; readonly rates: readonly number[] }
}

/** The rate of each step, or of `mostRates` that are evenly spaced, the last among them. */
export function ratesOf(schedule: Schedule, total: number): RunPlan['learningRates'] {
  const count = Math.min(total, mostRates)
  const steps = Array.from({ length: count }, (_, i) => Math.round(((i + 1) * total) / count))
  return { steps, rates: steps.map((step) => learningRate(schedule, step - 1)) }
}

export const writePlan = (folder: RunFolder, plan: RunPlan): Promise<void> =>
  writeFileAtomic(folder.plan, `${JSON.stringify(plan, null, 2)}\n`)

/** Forgets how the run ended before: it goes on. */
export const removeResult = (folder: RunFolder): Promise<void> => rm(folder.result, { force: true })

const write = (folder: RunFolder, result: object) =>
  writeFileAtomic(
    folder.result,
    `${JSON.stringify({ ...result, ended: new Date().toISOString() }, null, 2)}\n`,
  )

/** result.json: how the run ended. Its output is `adapter` or `model` in the folder, which may be moved. */
export const writeResult = (folder: RunFolder, { output: _, ...result }: TrainResult): Promise<void> =>
  write(folder, result)

export const writeFailure = (folder: RunFolder, error: unknown, warnings: readonly string[]): Promise<void> =>
  write(folder, {
    reason: 'failed',
    error: {
      code: error instanceof IftError ? error.code : null,
      message: error instanceof Error ? error.message : String(error),
      hint: error instanceof IftError ? (error.hint ?? null) : null,
    },
    warnings,
  })
