import type { CausalLM } from '@ift/tensor'
import { openAdapter } from '../checkpoint/adapter.js'
import type { ResolvedConfig } from '../config/schema.js'
import { check } from '../config/validate.js'
import type { PeftContext, PeftHandle, TrainableParameter } from '../contract/index.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { findMethod } from './find-method.js'

/** The method of the config attached for training, or the adapter it names, or nothing. */
export async function attachMethod(
  session: PluginSession,
  config: ResolvedConfig,
  adapterDir: string | null,
  model: CausalLM,
  context: PeftContext,
  training: boolean,
): Promise<PeftHandle | null> {
  const { method: methodName, ...options } = config.peft
  if (adapterDir !== null) {
    const adapter = await openAdapter(adapterDir)
    const method = await findMethod(session, adapter)
    const merged = { ...(method.fromAdapterConfig(adapter.config) as object), ...(training ? options : {}) }
    const checked: unknown = check(method.options, merged, 'The adapter with the options of peft', 'peft')
    const peft = await method.attach(model, checked, { ...context, adapter })
    await peft.load(adapter)
    return peft
  }
  if (!training || methodName === 'none') return null
  const method = await session.peft(methodName)
  return method.attach(model, check(method.options, options, 'The config', 'peft'), context)
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
