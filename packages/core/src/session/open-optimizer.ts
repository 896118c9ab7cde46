import { IftError } from '@ift/tensor'
import type { ResolvedConfig } from '../config/schema.js'
import { check } from '../config/validate.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import type { ChosenOptimizer } from '../train/optimizer/optimizer.js'

/** Options of optimizers that also have a place of their own in `train`. */
const short = ['beta1', 'beta2', 'epsilon'] as const

/** The optimizer that a config names, with its options checked and their defaults filled in. */
export async function openOptimizer(
  session: PluginSession,
  { train }: ResolvedConfig,
): Promise<ChosenOptimizer> {
  const { optimizer } = train
  const { name, ...own } = typeof optimizer === 'string' ? { name: optimizer } : optimizer
  const written: Record<string, unknown> = { ...own }
  for (const option of short) {
    if (train[option] === undefined) continue
    if (written[option] !== undefined)
      throw new IftError(
        'IFT_CONFIG_INVALID',
        `train.${option} is ${train[option]}, and train.optimizer.${option}, which is the same option, is ${JSON.stringify(written[option])}.`,
        'Leave one of them out.',
      )
    written[option] = train[option]
  }
  const definition = await session.optimizer(name)
  return { definition, options: check(definition.options, written, 'The config', 'train.optimizer') }
}

/** The config as a run records it: with every option of the optimizer, in one place. */
export function recordedConfig(
  config: ResolvedConfig,
  { definition, options }: ChosenOptimizer,
): Record<string, unknown> {
  const { beta1: _, beta2: __, epsilon: ___, ...train } = config.train
  const optimizer = { name: definition.name, ...(options as object) }
  const plugins = config.plugins.map((plugin) => (typeof plugin === 'object' ? plugin.name : plugin))
  return JSON.parse(JSON.stringify({ ...config, plugins, train: { ...train, optimizer } })) as Record<
    string,
    unknown
  >
}
