import { IftError } from '@ift/tensor'
import type { GgufMapping, ModelDefinition } from '../contract/index.js'
import type { PluginSession } from '../plugin/session.js'
import { families, packageOf } from './families.js'

/** Families in use, in order. */
const inUse = (session: PluginSession): ModelDefinition[] =>
  session.hooks.model
    .names()
    .map((name) => session.hooks.model.find(name))
    .filter((definition) => definition !== undefined)

/** The first family that fits: one in use, or one of an installed package, those named by `guesses` first. */
async function search(
  session: PluginSession,
  guesses: readonly string[],
  fits: (definition: ModelDefinition) => boolean,
): Promise<ModelDefinition | undefined> {
  const used = inUse(session).find(fits)
  if (used) return used
  const tried = new Set<string>()
  const firstOf = async (names: readonly string[]) => {
    for (const name of names) {
      if (!name || tried.has(name) || !session.installed('model', name)) continue
      tried.add(name)
      await session.model(name)
      const found = inUse(session).find(fits)
      if (found) return found
    }
    return undefined
  }
  // What else is installed is not looked for before it is needed: it takes reading every package's manifest.
  return (
    (await firstOf([...guesses, ...Object.keys(families)])) ??
    (await firstOf(
      session
        .packages()
        .filter(({ kind }) => kind === 'model')
        .map(({ name }) => name),
    ))
  )
}

/** What is installed, by family, and the package to install for a checkpoint. */
function advice(session: PluginSession, packageName: string | undefined, what: string): string {
  const lines = inUse(session).map(({ name, architectures }) => `  ${name}: ${architectures.join(', ')}`)
  const installed = lines.length ? `Installed families:\n${lines.join('\n')}` : 'No family is installed.'
  const others = Object.keys(families).map((name) => `@ift/model-${name}`)
  const next = packageName
    ? `Install its package: npm install ${packageName}`
    : `No package of ift's has ${what}; these are there: ${others.join(', ')}. A plugin can add one: set model: to its name.`
  return `${installed}\n${next}`
}

/** Finds the family of a checkpoint: the one the config names, or the one that knows its architecture. */
export async function findDefinition(
  session: PluginSession,
  model: string,
  json: Readonly<Record<string, unknown>>,
  where: string,
): Promise<ModelDefinition> {
  if (model !== 'auto') return session.model(model)
  const architectures = Array.isArray(json['architectures']) ? json['architectures'].map(String) : []
  const modelType = typeof json['model_type'] === 'string' ? json['model_type'] : ''
  const fits = (definition: ModelDefinition) =>
    architectures.some((name) => definition.architectures.includes(name)) ||
    (!architectures.length && definition.modelTypes.includes(modelType))
  // A family's package is named after the model_type of its checkpoints, or after the architecture.
  const guesses = [
    modelType,
    ...architectures.map((name) => name.replace(/(ForCausalLM|LMHeadModel|Model)$/, '').toLowerCase()),
  ]
  const found = await search(session, guesses, fits)
  if (found) return found
  const what = `architecture ${architectures.join(', ') || '(none given)'}, model_type "${modelType}"`
  throw new IftError(
    'IFT_MODEL_UNKNOWN',
    `${where}/config.json: no installed model plugin knows ${what}.`,
    advice(session, packageOf(architectures.length ? architectures : [modelType]), what),
  )
}

/** How the family of a GGUF file maps it: the family that the config names, or the one that knows its architecture. */
export async function findGgufMapping(
  session: PluginSession,
  model: string,
  architecture: string,
  path: string,
): Promise<GgufMapping> {
  const fits = ({ gguf }: ModelDefinition) => gguf?.architectures.includes(architecture) === true
  const definition =
    model === 'auto' ? await search(session, [architecture], fits) : await session.model(model)
  if (definition && fits(definition)) return definition.gguf!
  const readers = inUse(session).flatMap(({ gguf }) => gguf?.architectures ?? [])
  throw new IftError(
    'IFT_MODEL_UNKNOWN',
    definition
      ? `${path} holds a "${architecture}" model; family "${definition.name}" reads ${definition.gguf?.architectures.join(', ') ?? 'no GGUF'}.`
      : `${path}: no installed model plugin reads GGUF files of architecture "${architecture}" (found: ${readers.join(', ') || 'none'}).`,
    advice(session, packageOf([architecture]), `GGUF architecture "${architecture}"`),
  )
}
