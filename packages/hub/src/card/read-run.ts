import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  metricsFile,
  readJson,
  type LogRecord,
  type Manifest,
  type RunFolder,
  type RunPlan,
  type Shape,
  type TrainResult,
} from '@ift/core'
import * as z from 'zod'

/** What a run has left in its folder; null and empty for what is not there. */
export interface RecordedRun {
  readonly manifest: Manifest | null
  readonly plan: Pick<RunPlan, 'steps' | 'parameters' | 'trainable' | 'dtype'> | null
  readonly result: Omit<TrainResult, 'output'> | null
  readonly metrics: readonly LogRecord[]
}

const planShape = z.looseObject({
  steps: z.number(),
  parameters: z.number(),
  trainable: z.number(),
  dtype: z.string(),
})

/** A run that failed has a reason alone. */
const resultShape = z.looseObject({ reason: z.enum(['done', 'stopped', 'interrupted']), steps: z.number() })

const optional = async <T>(path: string, shape: z.ZodType): Promise<T | null> =>
  existsSync(path) ? readJson(path, shape as unknown as Shape<T>) : null

export async function readRun(run: RunFolder | null): Promise<RecordedRun> {
  if (run === null) return { manifest: null, plan: null, result: null, metrics: [] }
  return {
    manifest: await run.readManifest(),
    plan: await optional(run.plan, planShape),
    result: await optional<RecordedRun['result']>(run.result, resultShape).catch(() => null),
    metrics: metricsFile(run.metrics).read(),
  }
}

/** What a card tells of an adapter's own settings. */
export interface AdapterSettings {
  readonly peft_type?: string | undefined
  readonly base_model_name_or_path?: string | null | undefined
  readonly r?: number | undefined
  readonly lora_alpha?: number | undefined
  readonly lora_dropout?: number | undefined
  readonly target_modules?: string | readonly string[] | null | undefined
}

const settingsShape = z.looseObject({
  peft_type: z.string().optional(),
  base_model_name_or_path: z.string().nullish(),
  r: z.number().optional(),
  lora_alpha: z.number().optional(),
  lora_dropout: z.number().optional(),
  target_modules: z.union([z.string(), z.array(z.string())]).nullish(),
})

export const readSettings = (dir: string): Promise<AdapterSettings> =>
  readJson(join(dir, 'adapter_config.json'), settingsShape as unknown as Shape<AdapterSettings>)
