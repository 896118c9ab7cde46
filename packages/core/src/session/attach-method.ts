import type { CausalLM } from '@ift/tensor'
import { openAdapter } from '../checkpoint/adapter.js'
import type { ResolvedConfig } from '../config/schema.js'
import { check } from '../config/validate.js'
import type {
  AdapterSource,
  PeftContext,
  PeftHandle,
  PeftMethod,
  TrainableParameter,
  VirtualLength,
} from '../contract/index.js'
import { noVirtualTokens } from '../data/virtual-tokens.js'
import { AdapterSet } from '../peft/adapters/index.js'
import { optionsOf } from '../peft/setting.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import type { Attached } from '../train/count-memory.js'
import { findMethod } from './find-method.js'

/** A method with its options, and the adapter that it goes on from. */
interface ChosenMethod {
  readonly method: PeftMethod
  readonly options: unknown
  readonly adapter?: AdapterSource
}

/** The method of the config for training, or that of the adapter it names, or nothing. */
async function chooseMethod(
  session: PluginSession,
  config: ResolvedConfig,
  adapterDir: string | null,
  training: boolean,
): Promise<ChosenMethod | null> {
  const { method: methodName, ...options } = config.peft
  if (adapterDir !== null) {
    const adapter = await openAdapter(adapterDir)
    const method = await findMethod(session, adapter)
    const merged = { ...optionsOf<object>(method, adapter), ...(training ? options : {}) }
    const checked: unknown = check(method.options, merged, 'The adapter with the options of peft', 'peft')
    return { method, options: checked, adapter }
  }
  if (!training || methodName === 'none') return null
  const method = await session.peft(methodName)
  return { method, options: check(method.options, options, 'The config', 'peft') }
}

/** The method of the config attached for training, or the adapter it names, or nothing. */
export async function attachMethod(
  session: PluginSession,
  config: ResolvedConfig,
  adapterDir: string | null,
  model: CausalLM,
  context: PeftContext,
  training: boolean,
): Promise<PeftHandle | null> {
  const chosen = await chooseMethod(session, config, adapterDir, training)
  if (chosen === null) return null
  const { method, options, adapter } = chosen
  if (adapter === undefined) return method.attach(model, options, context)
  const peft = await method.attach(model, options, { ...context, adapter })
  await peft.load(adapter)
  return peft
}

/**
 * What `attachMethod` and `trainWhole` attach for training, without the values of an adapter: for a model that has no values
 * itself, whose memory is counted.
 */
export async function attachUnloaded(
  session: PluginSession,
  config: ResolvedConfig,
  adapterDir: string | null,
  model: CausalLM,
  context: PeftContext,
): Promise<Attached> {
  const chosen = await chooseMethod(session, config, adapterDir, true)
  if (chosen === null) return { peft: null, trainable: trainWhole(model) }
  const { method, options, adapter } = chosen
  const peft = await method.attach(model, options, adapter ? { ...context, adapter } : context)
  return { peft, trainable: [...peft.trainable()] }
}

/** Virtual tokens that stand in front of every sample in training; none where the method's package is not there. */
export async function plannedVirtualTokens(
  session: PluginSession,
  config: ResolvedConfig,
  adapterDir: string | null,
): Promise<VirtualLength> {
  const { method } = config.peft
  if (adapterDir === null && method !== 'none' && !session.provides('peft', method)) return noVirtualTokens
  const chosen = await chooseMethod(session, config, adapterDir, true)
  return chosen?.method.virtualTokens?.(chosen.options) ?? noVirtualTokens
}

/** Several adapters over the model, the first of them in use; null where there are none, unless others are to be loaded later. */
export async function loadAdapters(
  session: PluginSession,
  dirs: ReadonlyMap<string, string>,
  model: CausalLM,
  context: PeftContext,
  isOpen = false,
): Promise<AdapterSet | null> {
  if (dirs.size === 0) return isOpen ? new AdapterSet(model, context) : null
  const adapters = new AdapterSet(model, context)
  try {
    for (const [name, dir] of dirs) {
      const source = await openAdapter(dir)
      await adapters.load(name, { source, method: await findMethod(session, source) })
    }
  } catch (error) {
    adapters.release()
    throw error
  }
  adapters.use(adapters.names[0]!)
  return adapters
}

/** Full-parameter training: every parameter, decay on matrices only. */
export function trainWhole(model: CausalLM): TrainableParameter[] {
  const trainable: TrainableParameter[] = []
  for (const [name, parameter] of model.namedParameters()) {
    parameter.setTrainable(true)
    trainable.push({ name, parameter, lrScale: 1, decay: parameter.shape.length > 1 })
  }
  return trainable
}
