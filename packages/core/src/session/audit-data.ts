import type { DataEntry, ResolvedConfig } from '../config/schema.js'
import { examine, nearDefaults, type Examination, type Finding } from '../data/duplicates/index.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { decontaminationOf, findEvaluations, readEvaluations } from './evaluations.js'
import { findDatasets } from './find-datasets.js'
import { repeatsOf } from './without-repeats.js'

export interface AuditOptions {
  /** Data in place of that of the config. */
  readonly data?: readonly DataEntry[]
  /** Told of each record that is found, in the order of the data. */
  readonly onFinding?: (finding: Finding) => unknown
  /** Told of each file on this machine that is read, before it is; what it throws ends the audit. */
  readonly onFile?: (file: string) => Promise<unknown>
}

/**
 * What repeats in the data of a config, near duplicates too where `dedup` names none, and what of it is evaluated on. Nothing is
 * tokenised.
 */
export async function auditData(
  session: PluginSession,
  config: ResolvedConfig,
  { data, onFinding, onFile }: AuditOptions,
): Promise<Examination> {
  const { seed } = config.train
  const entries = data ? [...data] : config.data
  const told = onFile ? { onFile } : {}
  const found = await findDatasets(session, entries, seed, told)
  const decontamination = decontaminationOf(config.decontaminate)
  const evaluations = await findEvaluations(found, decontamination, (of) =>
    findDatasets(session, of, seed, { purpose: 'validation', ...told }),
  )
  const { by, near } = repeatsOf(config.dedup) ?? { by: 'example', near: null }
  const { report } = await examine(found, {
    repeats: { by, near: near ?? nearDefaults },
    questions: by === 'example',
    evaluations: await readEvaluations(evaluations, decontamination.overlap),
    ...(onFinding ? { onFinding } : {}),
  })
  return report
}
