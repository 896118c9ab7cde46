import { IftError, type CausalLM } from '@ift/tensor'
import type { PeftContext } from '../contract/index.js'
import type { ModuleOptions } from './options.js'
import { moduleSetting, settingError } from './setting.js'
import { tiedHead } from './tied.js'

/** Names of embeddings and heads that PEFT's ensure_weight_tying knows. */
const embeddingNames = new Set(['embed_tokens', 'lm_head'])

export interface SavedModules {
  /** Modules that are trained whole, none of them inside of another. */
  readonly paths: ReadonlySet<string>
  /** Whether a tied head stays tied to an embedding that is trained whole. */
  readonly tied: boolean
}

/**
 * The modules that modulesToSave means. As in PEFT a name is a plain ending: `norm` is also input_layernorm. Throws
 * IFT_PEFT_TARGET for a name of the config that means nothing; in an adapter PEFT passes over it, and so does this.
 */
export function savedModules(
  model: CausalLM,
  { modulesToSave = [], ensureWeightTying = false }: ModuleOptions,
  context: Pick<PeftContext, 'definition' | 'adapter'>,
): SavedModules {
  const { definition, adapter } = context
  const modules = [...model.namedModules()].map(([path]) => path)
  const matched = new Set<string>()
  for (const name of modulesToSave) {
    const found = modules.filter((path) => path.endsWith(name))
    if (!found.length && !adapterNames(adapter?.config).includes(name))
      throw new IftError(
        'IFT_PEFT_TARGET',
        `peft.modulesToSave names "${name}", which no module of this model ends with.`,
        `Modules: ${[...new Set(modules.map((path) => path.split('.').at(-1)!))].filter((part) => /^[a-z]/.test(part)).join(', ')}`,
      )
    for (const path of found) matched.add(path)
  }
  const head = tiedHead(model)
  const tied =
    head !== null &&
    ensureWeightTying &&
    modulesToSave.some((name) => embeddingNames.has(name.split('.').at(-1)!))
  if (tied) {
    matched.delete(head.path)
    matched.add(head.embeddingPath)
  }
  const outer = [...matched].filter((path) => ![...matched].some((other) => path.startsWith(`${other}.`)))
  for (const [path] of model.namedParameters())
    if (definition.transposed?.(path) === true && outer.some((module) => path.startsWith(`${module}.`)))
      throw settingError(
        context,
        moduleSetting({ modulesToSave }, 'modulesToSave'),
        'IFT_PEFT_TARGET',
        (setting) =>
          `${setting} means "${path}", a matrix that checkpoints hold as [in, out]; saving it in an adapter is not supported.`,
        'Adapt its layer instead: name it in peft.targetModules.',
      )
  return { paths: new Set(outer), tied }
}

function adapterNames(config: Readonly<Record<string, unknown>> | undefined): readonly unknown[] {
  const names = config?.['modules_to_save']
  return Array.isArray(names) ? (names as unknown[]) : []
}
