import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { IftError, readJson, type Shape } from '@ift/core'
import * as z from 'zod'

/** A number of a task, with the interval that it lies in. */
export interface EvaluationMetric {
  readonly name: string
  readonly value: number
  readonly interval: readonly [low: number, high: number] | null
  readonly items: number | null
}

/** What `npx ift eval` found for a task. */
export interface EvaluationResult {
  readonly task: string
  readonly version: string | null
  readonly shots: number | null
  readonly metrics: readonly EvaluationMetric[]
  /** Share of the items that the training data hold; null where nobody looked. */
  readonly contaminated: number | null
}

const metric = z.looseObject({
  mean: z.number().nullable(),
  low: z.number().nullish(),
  high: z.number().nullish(),
  n: z.number().nullish(),
})

/** What a card tells of `results.json` of `@ift/eval`; other fields may change. */
const resultsShape = z.looseObject({
  task: z.looseObject({ name: z.string(), version: z.string().nullish(), shots: z.number().nullish() }),
  metrics: z.record(z.string(), metric),
  macro: z.record(z.string(), metric).default({}),
  contamination: z.looseObject({ share: z.number() }).nullish(),
})

const metricsOf = (of: Readonly<Record<string, z.output<typeof metric>>>, suffix = ''): EvaluationMetric[] =>
  Object.entries(of).flatMap(([name, { mean, low, high, n }]) =>
    mean === null
      ? []
      : [
          {
            name: `${name}${suffix}`,
            value: mean,
            interval: typeof low === 'number' && typeof high === 'number' ? [low, high] : null,
            items: n ?? null,
          },
        ],
  )

/**
 * Results of tasks in folders of `@ift/eval`, one below each of `places`, by their names. A file that another version or program wrote
 * is passed over, and `note` says so: a card is not lost for it.
 */
export async function readResults(
  places: readonly string[],
  note: (text: string) => void,
): Promise<EvaluationResult[]> {
  const results = new Map<string, EvaluationResult>()
  for (const place of places) {
    if (!existsSync(place)) continue
    const folders = (await readdir(place, { withFileTypes: true })).filter((entry) => entry.isDirectory())
    for (const { name } of folders.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(place, name, 'results.json')
      if (results.has(name) || !existsSync(path)) continue
      try {
        const found = await readJson(path, resultsShape as unknown as Shape<z.output<typeof resultsShape>>)
        const { task, metrics, macro, contamination } = found
        results.set(name, {
          task: task.name,
          version: task.version ?? null,
          shots: task.shots ?? null,
          metrics: [...metricsOf(metrics), ...metricsOf(macro, ', mean of groups')],
          contaminated: contamination?.share ?? null,
        })
      } catch (error) {
        if (!(error instanceof IftError)) throw error
        note(`The card leaves out ${path}: ${error.message}`)
      }
    }
  }
  return [...results.values()]
}
