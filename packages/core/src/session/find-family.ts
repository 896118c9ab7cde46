import { IftError } from '@ift/tensor'
import type { GgufMapping, ModelDefinition } from '../contract/index.js'
import type { Provides } from '../plugin/manifest.js'
import { registered, searchPlugins, type Searched } from '../plugin/search.js'
import type { PluginSession } from '../plugin/plugin-session.js'

type Facts = Provides['model'][string]

const search = (
  session: PluginSession,
  fits: (definition: ModelDefinition) => boolean,
  says: (facts: Facts) => boolean,
) =>
  searchPlugins(session, {
    kind: 'model',
    registry: session.hooks.model,
    fits,
    says: ({ provides }) => Object.values(provides.model).some(says),
  })

/** What reads which architectures, of what is there; and the package to install for a checkpoint. */
function advice(
  session: PluginSession,
  { failures }: Pick<Searched<unknown>, 'failures'>,
  says: (facts: Facts) => boolean,
  what: string,
): string {
  const families = new Map<string, readonly string[]>()
  const packages = session.packages()
  for (const { provides } of packages)
    for (const [name, { architectures }] of Object.entries(provides.model)) families.set(name, architectures)
  for (const { name, architectures } of registered(session.hooks.model)) families.set(name, architectures)
  const lines = [...families].sort().map(([name, architectures]) => `  ${name}: ${architectures.join(', ')}`)
  const catalogue = session.catalogue()
  const reader = catalogue.find(({ provides }) => Object.values(provides.model).some(says))
  const there = new Set(packages.map(({ package: name }) => name))
  const others = catalogue
    .filter(({ package: name, provides }) => Object.keys(provides.model).length > 0 && !there.has(name))
    .map(({ package: name }) => name)
  const problems = [...failures, ...packages.flatMap(({ problem }) => problem ?? [])]
  return [
    lines.length ? `Installed families:\n${lines.join('\n')}` : 'No family is installed.',
    ...(problems.length ? [`Passed over:\n${problems.map(({ message }) => message).join('\n')}`] : []),
    reader
      ? `Install its package: npm install ${reader.package}`
      : `No package of this project reads ${what}; ${others.length ? `to install: ${others.join(', ')}` : 'all of them are installed'}. A plugin can add it: docs/plugins.md`,
  ].join('\n')
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
  const fits = (facts: Pick<ModelDefinition, 'architectures' | 'modelTypes'>) =>
    architectures.some((name) => facts.architectures.includes(name)) ||
    (!architectures.length && facts.modelTypes.includes(modelType))
  const searched = await search(session, fits, fits)
  if (searched.found) return searched.found
  const what = `architecture ${architectures.join(', ') || '(none given)'}, model_type "${modelType}"`
  throw new IftError(
    'IFT_MODEL_UNKNOWN',
    `${where}/config.json: no installed model plugin knows ${what}.`,
    advice(session, searched, fits, what),
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
  const says = ({ gguf }: Facts) => gguf.includes(architecture)
  const searched =
    model === 'auto' ? await search(session, fits, says) : { found: await session.model(model), failures: [] }
  const definition = searched.found
  if (definition && fits(definition)) return definition.gguf!
  const installed = session.packages().flatMap(({ provides }) => Object.values(provides.model))
  const used = registered(session.hooks.model).flatMap(({ gguf }) => gguf?.architectures ?? [])
  const readers = [...new Set([...used, ...installed.flatMap(({ gguf }) => gguf)])].sort()
  throw new IftError(
    'IFT_MODEL_UNKNOWN',
    definition
      ? `${path} holds a "${architecture}" model; family "${definition.name}" reads ${definition.gguf?.architectures.join(', ') ?? 'no GGUF'}.`
      : `${path}: no installed model plugin reads GGUF files of architecture "${architecture}" (there are readers of: ${readers.join(', ') || 'none'}).`,
    advice(session, searched, says, `GGUF architecture "${architecture}"`),
  )
}
