import { isInstruction, isMessages, isText, type Example, type Segment } from '../contract/data.js'
import type { DataEntry, ResolvedConfig } from '../config/schema.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { findDatasets } from './find-datasets.js'
import { findTemplate, openModelFiles } from './model-files.js'

/** The first example of data, as the model reads it. */
export interface FirstExample {
  /** `file:line` of its record. */
  readonly where: string
  readonly example: Example
  /** Template that it is written with; null for a document, which has none. */
  readonly template: string | null
  /** Its text in parts, with what is learned; empty for token ids, which have no text here. */
  readonly segments: readonly Segment[]
}

/** The template of an example that is looked at without a model. */
const withoutModel = 'alpaca'

/** Reads the first example of an entry; null where there is none. The template is that of the config, else of its model, else Alpaca's. */
export async function firstExample(
  session: PluginSession,
  config: ResolvedConfig,
  entry: DataEntry,
): Promise<FirstExample | null> {
  for (const { examples } of await findDatasets(session, [entry], config.train.seed))
    for await (const { example, where } of examples()) {
      if (isText(example)) {
        const segments = [{ role: 'assistant', text: example.text, trained: true } as const]
        return { where, example, template: null, segments }
      }
      if (!isInstruction(example) && !isMessages(example))
        return { where, example, template: null, segments: [] }
      const template =
        config.weights === undefined
          ? await findTemplate(session, config.template ?? withoutModel)
          : (await openModelFiles(session, config)).template
      return { where, example, template: template.name, segments: template.render(example, config.trainOn) }
    }
  return null
}
