import type { ResolvedConfig } from '../config/schema.js'
import {
  overlapDefaults,
  SharedTexts,
  type OverlapOptions,
  type SharedText,
} from '../data/duplicates/index.js'
import { comparedTexts } from '../data/duplicates/texts.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { findDatasets } from './find-datasets.js'

/** What texts share with the data of a config. */
export interface OverlapReport extends OverlapOptions {
  /** Rows that were looked through. */
  readonly rows: number
  readonly found: readonly SharedText[]
}

/** Looks for texts in all rows of the data of a config, questions and answers, whatever of them a run takes. */
export async function sharedWithData(
  session: PluginSession,
  config: Pick<ResolvedConfig, 'data' | 'train'>,
  texts: readonly string[],
): Promise<OverlapReport> {
  const shared = new SharedTexts(texts)
  let rows = 0
  for (const { examples } of await findDatasets(session, config.data, config.train.seed))
    for await (const { example, where } of examples()) {
      rows++
      const compared = comparedTexts(example)
      if (!compared) continue
      for (const text of [...compared.question, compared.answer]) shared.look(text, where)
    }
  return { ...overlapDefaults, rows, found: shared.found }
}
