import { IftError } from '@ift/tensor'
import { openAdapter } from '../checkpoint/adapter.js'
import { requireRoom, virtualLength } from '../data/virtual-tokens.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import type { ResolvedConfig } from '../config/schema.js'
import { baseOfAdapter } from './base-model.js'
import { findMethod } from './find-method.js'
import { locate, readRecord, recordedQuantize } from './model-files.js'
import type { OpenModel } from './open-model.js'

/**
 * Loads an adapter beside those of an open model; no pass may run meanwhile. IFT_ADAPTERS_BASE where it was trained on another base, with
 * another template or other ends of answers, unless the config decides those for all adapters; then what `AdapterSet.load` throws.
 */
export async function addAdapter(
  session: PluginSession,
  config: ResolvedConfig,
  open: OpenModel,
  name: string,
  spec: string,
): Promise<void> {
  const { adapters, shape } = open
  if (adapters === null)
    throw new IftError(
      'IFT_ADAPTER_NAME',
      `The adapter "${name}" cannot be loaded: the model has been opened without several.`,
      'Open it with a map of adapters: adapter: { NAME: DIR }',
    )
  const { dir } = await locate(session, spec, 'adapter')
  await refuseOther(session, config, open, name, dir)
  const source = await openAdapter(dir)
  const handle = await adapters.load(name, { source, method: await findMethod(session, source) })
  try {
    requireRoom(virtualLength(handle), shape)
  } catch (error) {
    adapters.remove(name)
    throw error
  }
}

/** IFT_ADAPTERS_BASE where the record of an adapter says that it belongs to a model that was opened in another way. */
async function refuseOther(
  session: PluginSession,
  config: ResolvedConfig,
  open: OpenModel,
  name: string,
  dir: string,
): Promise<void> {
  const refuse = (what: string, found: string, expected: string) =>
    new IftError(
      'IFT_ADAPTERS_BASE',
      `The adapter "${name}" does not fit the model that is open: it was trained ${what} ${found}, and the model has ${expected}.`,
      'Open the model with all of its adapters, or this one alone.',
    )
  if (config.weights === undefined) {
    const base = await baseOfAdapter(dir, session.rootDir)
    if (base !== open.name) throw refuse('on the base', base, open.name)
  }
  const record = await readRecord(dir)
  if (record === null) return
  const { template, quantize = 'none', eos_token_id: learned = [] } = record
  if (config.template === undefined && template !== undefined && template !== open.template.name)
    throw refuse('with the template', template, open.template.name)
  if (config.quantize === undefined && quantize !== recordedQuantize(open.quantize))
    throw refuse('on a base with quantize', quantize, recordedQuantize(open.quantize))
  const strange = learned.filter((id) => !open.ends.has(id))
  if (strange.length > 0)
    throw refuse('to end answers with the tokens', strange.join(', '), [...open.ends].join(', '))
}
