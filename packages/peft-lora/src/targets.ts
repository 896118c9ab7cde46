import { IftError } from '@ift/core'
import { Linear, type CausalLM, type Module } from '@ift/tensor'
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

const layerIndex = (path: string): number | null => {
  const found = /(?:^|\.)\w*(?:layers|blocks|h)\.(\d+)\./.exec(path)
  return found ? Number(found[1]) : null
}

/** A value from a pattern table: a key matches as a suffix, or as a regular expression before the end of the name. */
export function fromPattern<T>(table: Readonly<Record<string, T>>, path: string, otherwise: T): T {
  for (const [key, value] of Object.entries(table))
    if (new RegExp(`(?:.*\\.)?(?:${key})$`).test(path) || path.endsWith(`.${escape(key)}`)) return value
  return otherwise
}

/** Linear layers of a model by name; the head is not one of them when `all-linear` is meant. */
function linearLayers(model: CausalLM): Map<string, Linear> {
  const layers = new Map<string, Linear>()
  for (const [path, module] of model.namedModules()) if (module instanceof Linear) layers.set(path, module)
  return layers
}

/** Names of the linear layers that the options mean. Throws IFT_PEFT_TARGET listing what there is when none matches. */
export function targetPaths(
  model: CausalLM,
  options: LoraOptions,
  defaults: readonly string[] | undefined,
): Set<string> {
  const wanted = options.targetModules ?? defaults
  const layers = linearLayers(model)
  if (wanted === undefined)
    throw new IftError(
      'IFT_PEFT_TARGET',
      'The model family names no default layers for lora.',
      `Set peft.targetModules, for example to 'all-linear'. ${listing(layers)}`,
    )
  const include =
    wanted === 'all-linear'
      ? (path: string) => layers.get(path) !== (model.lmHead as Module)
      : matcher(wanted, 'targetModules')
  const exclude =
    options.excludeModules === undefined ? () => false : matcher(options.excludeModules, 'excludeModules')
  const { layersToTransform } = options
  const chosen = [...layers.keys()].filter((path) => {
    if (!include(path) || exclude(path)) return false
    const index = layerIndex(path)
    return layersToTransform === undefined || (index !== null && layersToTransform.includes(index))
  })
  if (!chosen.length) {
    const others = [...model.namedModules()].filter(
      ([path, module]) => include(path) && !(module instanceof Linear),
    )
    throw new IftError(
      'IFT_PEFT_TARGET',
      others.length
        ? `peft.targetModules matches ${others
            .map(([path]) => path)
            .slice(0, 3)
            .join(', ')}, which is not a linear layer.`
        : `peft.targetModules matched nothing: ${JSON.stringify(wanted)}.`,
      others.length
        ? 'Train such a module whole: peft.modulesToSave.'
        : `${listing(layers)}${defaults ? `\nDefault of this family: ${JSON.stringify(defaults)}` : ''}`,
    )
  }
  return new Set(chosen)
}

const listing = (layers: ReadonlyMap<string, Linear>) =>
  `Linear layers of this model: ${[...new Set([...layers.keys()].map((path) => path.split('.').at(-1)!))].join(', ')}`
