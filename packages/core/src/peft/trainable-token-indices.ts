import type { CausalLM } from '@ift/tensor'
import * as z from '../config/options.js'
import type { PeftContext } from '../contract/index.js'
import type { TokenRowsRequest } from './place-token-rows.js'
import type { ModuleOptions } from './options.js'
import { moduleSetting, settingError, type Setting } from './setting.js'

const ids = z.array(z.number().int().min(0)).min(1)

/** Rows of tables that a method trains beside the modules it adapts; a method spreads it into its own options. */
export const tokenRowsOption = {
  trainableTokenIndices: z
    .union([ids, z.record(z.string(), ids)])
    .optional()
    .describe(
      'Ids of tokens whose rows of the embedding are trained besides, or such lists by the ends of the names of embeddings and heads.',
    ),
}

/**
 * What `trainableTokenIndices` asks for. Names are plain ends, as in Hugging Face PEFT. Throws IFT_PEFT_TARGET for one of no module, or
 * IFT_ADAPTER_CONFIG where an adapter's config has it.
 */
export function tokenRowsBeside(
  options: ModuleOptions,
  model: CausalLM,
  context: Pick<PeftContext, 'adapter'>,
): TokenRowsRequest | undefined {
  const { trainableTokenIndices: asked, modulesToSave = [], ensureWeightTying = false } = options
  if (asked === undefined) return undefined
  const setting = moduleSetting(options, 'trainableTokenIndices')
  const refuse = (settings: readonly Setting[], what: (...names: string[]) => string, hint: string) =>
    settingError(context, settings, 'IFT_PEFT_TARGET', what, hint)
  const modules = [...model.namedModules()]
  const indices = new Map<string, readonly number[]>()
  if (isList(asked)) {
    for (const [path, module] of modules) if (module === model.embeddings) indices.set(path, asked)
  } else
    for (const [name, list] of Object.entries(asked)) {
      const paths = modules.map(([path]) => path).filter((path) => path.endsWith(name))
      if (!paths.length)
        throw refuse(
          [setting],
          (rows) => `${rows} names "${name}", which no module of this model ends with.`,
          'Name an embedding or the head, or give a list of ids alone, which is for the embedding.',
        )
      for (const path of paths) indices.set(path, list)
    }
  for (const path of indices.keys()) {
    const saved = modulesToSave.find((name) => path.endsWith(name))
    if (saved !== undefined)
      throw refuse(
        [setting, moduleSetting(options, 'modulesToSave')],
        (rows, whole) => `${rows} names "${path}", which is trained whole already (${whole}).`,
        'Name it there or in modulesToSave, not in both.',
      )
  }
  return {
    setting,
    indices,
    fileName: 'token_adapter.trainable_tokens_delta',
    repeated: false,
    ...(ensureWeightTying && { tiedAlone: moduleSetting(options, 'ensureWeightTying') }),
  }
}

const isList = (asked: NonNullable<ModuleOptions['trainableTokenIndices']>): asked is readonly number[] =>
  Array.isArray(asked)
