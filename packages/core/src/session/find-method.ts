import { IftError } from '@ift/tensor'
import type { AdapterSource, PeftMethod } from '../contract/index.js'
import { registered, searchPlugins } from '../plugin/search.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { suggest } from '../suggest.js'

/** Finds the method that reads a kind of adapter, by the `peft_type` of its adapter_config.json. */
export async function findMethod(session: PluginSession, source: AdapterSource): Promise<PeftMethod> {
  const type = String(source.config['peft_type'])
  const reads = (facts: Pick<PeftMethod, 'peftTypes'>) => facts.peftTypes.includes(type)
  const { found, failures } = await searchPlugins(session, {
    kind: 'peft',
    registry: session.hooks.peft,
    fits: reads,
    says: ({ provides }) => Object.values(provides.peft).some(reads),
  })
  if (found) return found
  const catalogue = session.catalogue()
  const ours = catalogue.find(({ provides }) => Object.values(provides.peft).some(reads))
  const typesOf = (provides: { readonly peft: Readonly<Record<string, Pick<PeftMethod, 'peftTypes'>>> }) =>
    Object.values(provides.peft).flatMap(({ peftTypes }) => peftTypes)
  const types = new Set([
    ...registered(session.hooks.peft).flatMap(({ peftTypes }) => peftTypes),
    ...session.packages().flatMap(({ provides }) => typesOf(provides)),
    ...catalogue.flatMap(({ provides }) => typesOf(provides)),
  ])
  const near = suggest(type, types)
  throw new IftError(
    'IFT_ADAPTER_CONFIG',
    `${source.path}: no installed method reads adapters of peft_type "${type}".`,
    [
      ...(ours ? [`Install its package: npm install ${ours.package}`] : []),
      ...(!ours && near !== null ? [`Did you mean "${near}"?`] : []),
      `Known: ${[...types].sort().join(', ') || 'none'}`,
      ...failures.map(({ message }) => `Passed over: ${message}`),
    ].join('\n'),
  )
}
