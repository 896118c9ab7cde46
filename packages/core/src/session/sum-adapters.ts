import { IftError, type Backend } from '@ift/tensor'
import { openAdapter } from '../checkpoint/adapter.js'
import type { CombineOptions, PeftHandle, PeftMethod, WeightedAdapter } from '../contract/index.js'
import { combineAdapters, type MemoryAdapter } from '../peft/adapters/index.js'
import { optionsOf } from '../peft/setting.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { suggest } from '../suggest.js'
import { findMethod } from './find-method.js'
import type { ModelFiles } from './model-files.js'
import type { OpenModel } from './open-model.js'
import { writeAdapterFolder } from './save-output.js'

/** Adapters of a config to be added up. */
export interface SumOptions extends Partial<CombineOptions> {
  /** By name; adapters that are not named are left out. */
  readonly weights: Readonly<Record<string, number>>
}

/** The sum of adapters, and the method that reads it. */
export interface AdapterSum {
  readonly method: PeftMethod
  readonly adapter: MemoryAdapter
}

/** Adds up adapters of one method by their files. `cat`, which is exact, where no combination is named. */
export async function sumAdapters(
  session: PluginSession,
  dirs: ReadonlyMap<string, string>,
  { weights, combination = 'cat', rank }: SumOptions,
): Promise<AdapterSum> {
  const adapters: WeightedAdapter[] = []
  let method: PeftMethod | undefined
  for (const [name, weight] of Object.entries(weights)) {
    const dir = dirs.get(name)
    if (dir === undefined) throw unknownName(name, [...dirs.keys()])
    const source = await openAdapter(dir)
    const own = await findMethod(session, source)
    method ??= own
    if (own.name !== method.name)
      throw new IftError(
        'IFT_ADAPTER_COMBINE',
        `Adapters of two methods cannot be added up: "${adapters[0]!.name}" is of ${method.name}, "${name}" of ${own.name}.`,
        'Use them one at a time, or each for its rows.',
      )
    adapters.push({ name, source, weight })
  }
  if (!method) throw new IftError('IFT_ADAPTER_COMBINE', 'No adapters are named to be added up.')
  return { method, adapter: await combineAdapters(method, adapters, { combination, rank }) }
}

const unknownName = (name: string, names: readonly string[]) => {
  const near = suggest(name, names)
  return new IftError(
    'IFT_ADAPTER_NAME',
    `There is no adapter "${name}" to be added up.`,
    `${near === null ? '' : `Did you mean "${near}"? `}The config names: ${names.join(', ') || 'none'}`,
  )
}

/** Puts a sum on the base of an open model, in the place of its several adapters. */
export async function attachSum(open: OpenModel, { method, adapter }: AdapterSum): Promise<PeftHandle> {
  open.adapters?.release()
  const { definition, shape, backend, dtype, tokenizer, json, config, name } = open
  const roles = definition.roles(definition.parseConfig(json))
  const context = { definition, shape, roles, backend, dtype, tokenizer, adapter }
  const handle = await method.attach(open.model, optionsOf<unknown>(method, adapter), {
    ...context,
    ...{ seed: config.train.seed, baseModel: name },
  })
  try {
    await handle.load(adapter)
    return handle
  } catch (error) {
    handle.release()
    throw error
  }
}

/** Writes a sum as an adapter like any other, with the tokenizer and the record of what it was made of. */
export async function saveSum(
  dir: string,
  { adapter }: AdapterSum,
  own: ModelFiles,
  backend: Backend,
): Promise<void> {
  const files = adapter.files(backend)
  try {
    await writeAdapterFolder(dir, files, own)
  } finally {
    for (const held of files.tensors.values()) held.release()
  }
}
