import { Embedding, Linear, TiedLinear, type CausalLM, type IftError, type Module } from '@ift/tensor'
import type { PeftContext, PeftMethod } from '../contract/index.js'
import { defaultTargets } from '../model/index.js'
import type { ModuleOptions } from './options.js'
import { moduleSetting, settingError } from './setting.js'
import { fullMatcher } from './python-regex/index.js'

// How Hugging Face PEFT 0.21 finds the layers that a config means: peft/tuners/tuners_utils.py, check_target_module_exists, and
// peft/utils/other.py, get_pattern_key.

type Matches = (path: string) => boolean

/** Modules that a method can be put on. */
export interface TargetKind {
  /** In an error: `a linear layer`. */
  readonly name: string
  accepts(module: Module): boolean
}

const isLinear = (module: Module) => module instanceof Linear || module instanceof TiedLinear

export const linearLayers: TargetKind = { name: 'a linear layer', accepts: isLinear }

export const linearLayersAndEmbeddings: TargetKind = {
  name: 'a linear layer or an embedding',
  accepts: (module) => isLinear(module) || module instanceof Embedding,
}

/** Every linear layer but the head, as PEFT writes it; it compares without case. */
export const isAllLinear = (names: unknown): boolean =>
  typeof names === 'string' && names.toLowerCase() === 'all-linear'

/** A list matches whole names or endings after a dot, a text is a regular expression of Python for the whole name. */
export function matcher(names: string | readonly string[]): Matches {
  if (typeof names === 'string') return fullMatcher(names)
  const whole = new Set(names)
  const endings = names.map((name) => `.${name}`)
  return (path) => whole.has(path) || endings.some((ending) => path.endsWith(ending))
}

/** A name of modulesToSave keeps the method off the module of that name and off all in it. */
const savedPattern = (name: string) => `(?:^|.*\\.)${name}(?:$|\\..*)`

/** A key of a pattern table: a whole name, or what stands behind a dot. */
const keyPattern = (key: string) => `(.*\\.)?(${key})$`

/** The path of a list of layers, by the name that layersPattern gives. */
const listPattern = (pattern: string) => `(?:^|.*?\\.)(?:${pattern})`

/**
 * Throws what `refuse` makes of the first pattern that is no regular expression, or that needs a matcher which backtracks: the
 * option it stands in, the pattern, and what is wrong with it.
 */
export function checkPatterns(
  options: ModuleOptions,
  refuse: (option: keyof ModuleOptions, pattern: string, why: string) => IftError,
): void {
  const check = (option: keyof ModuleOptions, pattern: string, whole = pattern) => {
    try {
      fullMatcher(whole)
    } catch (error) {
      if (error instanceof SyntaxError) throw refuse(option, pattern, error.message)
      throw error
    }
  }
  for (const option of ['targetModules', 'excludeModules'] as const) {
    const names = options[option]
    if (typeof names === 'string' && !isAllLinear(names)) check(option, names)
  }
  for (const option of ['rankPattern', 'alphaPattern'] as const)
    for (const key of Object.keys(options[option] ?? {})) check(option, key, keyPattern(key))
  for (const pattern of listsOf(options)) check('layersPattern', pattern, listPattern(pattern))
  for (const name of options.modulesToSave ?? []) check('modulesToSave', name, savedPattern(name))
}

const listsOf = ({ layersPattern }: ModuleOptions) =>
  [layersPattern ?? []].flat().filter((name) => name !== '')

/** Index of the decoder layer that a module lies in; null outside of them. */
function layerIndexOf(options: ModuleOptions): (path: string) => number | null {
  const lists = listsOf(options).map((pattern) => fullMatcher(listPattern(pattern)))
  return (path) => {
    const parts = path.split('.')
    // The first number is the layer's; a later one may be an expert's.
    for (let i = lists.length ? 1 : 2; i < parts.length - 1; i++) {
      if (!/^\d+$/.test(parts[i]!)) continue
      const list = parts.slice(0, i).join('.')
      if (!lists.length || lists.some((matches) => matches(list))) return Number(parts[i])
    }
    return null
  }
}

/** The value that the first matching key of a pattern table has for a path, or `otherwise`. */
export function patternTable<T>(table: Readonly<Record<string, T>>, otherwise: T): (path: string) => T {
  const rows = Object.entries(table).map(([key, value]) => [fullMatcher(keyPattern(key)), value] as const)
  return (path) => rows.find(([matches]) => matches(path))?.[1] ?? otherwise
}

/** Whether PEFT adapts a layer of this name: `include` finds it, and nothing leaves it out. */
export function selector(options: ModuleOptions, include: Matches): Matches {
  const { excludeModules, layersToTransform, modulesToSave = [] } = options
  const left = [
    ...(excludeModules?.length ? [matcher(excludeModules)] : []),
    ...modulesToSave.map((name) => fullMatcher(savedPattern(name))),
  ]
  const indexOf = layerIndexOf(options)
  return (path) => {
    if (!include(path) || left.some((matches) => matches(path))) return false
    if (!layersToTransform?.length) return true
    const index = indexOf(path)
    return index !== null && layersToTransform.includes(index)
  }
}

/** What `targets` reads of a method. */
export type TargetRule = Pick<PeftMethod, 'name' | 'targetRoles'> & { readonly targets: TargetKind }

/**
 * The modules that the options mean by their paths, those of modulesToSave left out. When there is none, `IFT_PEFT_TARGET` lists
 * what there is; where an adapter's config says so it is `IFT_ADAPTER_CONFIG`.
 */
export function targets(
  model: CausalLM,
  options: ModuleOptions,
  context: Pick<PeftContext, 'definition' | 'roles' | 'adapter'>,
  rule: TargetRule,
): Map<string, Module> {
  const defaults = defaultTargets(rule, context)
  const wanted = options.targetModules ?? defaults
  const modules = [...model.namedModules()]
  const layers = new Map(modules.filter(([, module]) => rule.targets.accepts(module)))
  const include: Matches = isAllLinear(wanted)
    ? (path) => layers.get(path) instanceof Linear && layers.get(path) !== (model.lmHead as Module)
    : matcher(wanted)
  const isChosen = selector(options, include)
  const chosen = [...layers].filter(([path]) => isChosen(path))
  if (chosen.length) return new Map(chosen)
  const few = (paths: readonly string[]) => paths.slice(0, 3).join(', ')
  const others = modules.map(([path]) => path).filter((path) => include(path) && !layers.has(path))
  const left = [...layers.keys()].filter(include)
  const target = moduleSetting(options, 'targetModules')
  if (others.length)
    throw settingError(
      context,
      target,
      'IFT_PEFT_TARGET',
      (setting) =>
        `${setting} matches ${few(others)}, which is not ${rule.targets.name}, as ${rule.name} takes them.`,
      'Train such a module whole: peft.modulesToSave.',
    )
  const leaving = (['excludeModules', 'layersToTransform', 'modulesToSave'] as const)
    .filter((option) => {
      const { layersPattern } = options
      return !left.every(selector({ layersPattern, [option]: options[option] }, include))
    })
    .map((option) => moduleSetting(options, option))
  throw settingError(
    context,
    [target, ...leaving],
    'IFT_PEFT_TARGET',
    (setting, ...by) =>
      by.length
        ? `${setting} matches ${few(left)}, which excludeModules, modulesToSave or layersToTransform leave out (${by.join(', ')}).`
        : `${setting} matched nothing: ${JSON.stringify(wanted)}.`,
    `${listing(layers)}\nDefault of this family: ${JSON.stringify(defaults)}`,
  )
}

const listing = (layers: ReadonlyMap<string, unknown>) =>
  `Modules of this model that can be adapted: ${[...new Set([...layers.keys()].map((path) => path.split('.').at(-1)!))].join(', ')}`
