import { IftError } from '@ift/core'
import { Embedding, Linear, TiedLinear, type CausalLM, type Module } from '@ift/tensor'
import type { LoraOptions } from './options.js'

type Names = string | readonly string[]

const escape = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** PEFT's rule: a list matches whole names or suffixes after a dot, a text is a regular expression for the whole name. */
function matcher(names: Names, option: string): (path: string) => boolean {
  if (typeof names !== 'string')
    return (path) => names.some((name) => path === name || path.endsWith(`.${name}`))
  let pattern: RegExp
  try {
    pattern = new RegExp(`^(?:${names})$`)
  } catch (cause) {
    throw new IftError(
      'IFT_PEFT_TARGET',
      `peft.${option}: "${names}" is not a regular expression: ${(cause as Error).message}`,
      "Give a list of layer names, such as ['q_proj', 'v_proj'], or 'all-linear'.",
      { cause },
    )
  }
  return (path) => pattern.test(path)
}

/** Index of the decoder layer that a module lies in, by the names of lists given or by those that are usual. */
function layerIndex(path: string, pattern: Names | undefined): number | null {
  const lists = pattern === undefined ? '\\w*(?:layers|blocks|h)' : `(?:${[pattern].flat().join('|')})`
  const found = new RegExp(`(?:^|\\.)${lists}\\.(\\d+)\\.`).exec(path)
  return found ? Number(found[1]) : null
}

/** A value from a pattern table: a key matches as a suffix, or as a regular expression before the end of the name. */
export function fromPattern<T>(table: Readonly<Record<string, T>>, path: string, otherwise: T): T {
  for (const [key, value] of Object.entries(table))
    if (new RegExp(`(?:.*\\.)?(?:${key})$`).test(path) || path.endsWith(`.${escape(key)}`)) return value
  return otherwise
}

/** Layers of a model that can be adapted, by name. */
function adaptable(model: CausalLM): Map<string, Linear | Embedding> {
  const layers = new Map<string, Linear | Embedding>()
  for (const [path, module] of model.namedModules())
    if (module instanceof Linear || module instanceof Embedding) layers.set(path, module)
  return layers
}

/** Names of the layers that the options mean. Throws IFT_PEFT_TARGET listing what there is when none matches. */
export function targetPaths(
  model: CausalLM,
  options: LoraOptions,
  defaults: readonly string[] | undefined,
): Set<string> {
  const wanted = options.targetModules ?? defaults
  const layers = adaptable(model)
  if (wanted === undefined)
    throw new IftError(
      'IFT_PEFT_TARGET',
      'The model family names no default layers for lora.',
      `Set peft.targetModules, for example to 'all-linear'. ${listing(layers)}`,
    )
  const include =
    wanted === 'all-linear'
      ? (path: string) => layers.get(path) instanceof Linear && layers.get(path) !== (model.lmHead as Module)
      : matcher(wanted, 'targetModules')
  const exclude =
    options.excludeModules === undefined ? () => false : matcher(options.excludeModules, 'excludeModules')
  const { layersToTransform, layersPattern } = options
  if (typeof wanted !== 'string')
    for (const [path, module] of model.namedModules())
      if (module instanceof TiedLinear && include(path) && !exclude(path)) throw tied(path)
  const chosen = [...layers.keys()].filter((path) => {
    if (!include(path) || exclude(path)) return false
    const index = layerIndex(path, layersPattern)
    return layersToTransform === undefined || (index !== null && layersToTransform.includes(index))
  })
  if (!chosen.length) {
    const others = [...model.namedModules()].filter(([path]) => include(path) && !layers.has(path))
    throw new IftError(
      'IFT_PEFT_TARGET',
      others.length
        ? `peft.targetModules matches ${others
            .map(([path]) => path)
            .slice(0, 3)
            .join(', ')}, which is neither a linear layer nor an embedding.`
        : `peft.targetModules matched nothing: ${JSON.stringify(wanted)}.`,
      others.length
        ? 'Train such a module whole: peft.modulesToSave.'
        : `${listing(layers)}${defaults ? `\nDefault of this family: ${JSON.stringify(defaults)}` : ''}`,
    )
  }
  return new Set(chosen)
}

const tied = (path: string) =>
  new IftError(
    'IFT_PEFT_TARGET',
    `peft.targetModules names "${path}", which is tied to the embedding and has no weights of its own.`,
    "Leave it out, or train both whole: peft.modulesToSave: ['embed_tokens']",
  )

const listing = (layers: ReadonlyMap<string, unknown>) =>
  `Layers of this model that can be adapted: ${[...new Set([...layers.keys()].map((path) => path.split('.').at(-1)!))].join(', ')}`
