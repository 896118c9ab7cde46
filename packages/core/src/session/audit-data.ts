import type { DataEntry, ResolvedConfig } from '../config/schema.js'
import type { Examination, Finding } from '../data/duplicates/index.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { auditExamples } from './examine-data.js'
import { findDatasets } from './open-data.js'

export interface AuditOptions {
  /** Data in place of that of the config. */
  readonly data?: readonly DataEntry[]
  /** Told of each record that is found, in the order of the data. */
  readonly onFinding?: (finding: Finding) => unknown
}

/** What repeats in the data of a config, and what of it is evaluated on; nothing is tokenised. */
export async function auditData(
  session: PluginSession,
  config: ResolvedConfig,
  { data, onFinding }: AuditOptions,
): Promise<Examination> {
  const { seed } = config.train
  const audited = data ? { ...config, data: [...data] } : config
  const found = await findDatasets(session, audited.data, seed)
  return auditExamples(audited, found, (of) => findDatasets(session, of, seed, 'validation'), onFinding)
}
