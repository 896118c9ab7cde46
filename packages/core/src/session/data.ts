import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { ResolvedConfig } from '../config/schema.js'
import { buildData, type DataReport, type SampleStore } from '../data/pipeline.js'
import type { PluginSession } from '../plugin/session.js'
import type { OpenModel } from './open-model.js'

/** Tokenised samples of a run. */
export interface RunData {
  readonly train: SampleStore
  readonly validation: SampleStore | null
  /** sha256 of everything that decides the samples. */
  readonly hash: string
  readonly report: DataReport
}

/** Loads, mixes, renders and tokenises what the config names. */
export async function openData(
  session: PluginSession,
  config: ResolvedConfig,
  open: Pick<OpenModel, 'tokenizer' | 'template' | 'shape'>,
): Promise<RunData> {
  const { hooks, rootDir } = session
  const built = await buildData({
    rootDir,
    config,
    tokenizer: open.tokenizer,
    template: open.template,
    maxLength: open.shape.maxPositions === null ? config.maxLength : Math.min(config.maxLength, open.shape.maxPositions),
    cacheDir: join(rootDir, 'node_modules', '.cache', 'ift'),
    dataset: (name) => session.dataset(name),
    onExample: (example, dataset) => hooks.example.call(example, { dataset }),
    onSample: (sample, dataset) => hooks.sample.call(sample, { dataset }),
  })
  const hash = createHash('sha256').update(JSON.stringify([built.train.hash, built.validation?.hash ?? null])).digest('hex')
  return { ...built, hash }
}
