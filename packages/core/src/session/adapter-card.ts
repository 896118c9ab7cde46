import { basename } from 'node:path'
import { parseSource } from '../source/spec.js'
import { version } from '../version.js'
import { restrictions, type DataFacts } from './data-facts.js'

/** What a card tells of. */
export interface CardedAdapter {
  readonly method: string
  /** The base as the config or an adapter names it: a path, or an id of the hub; absent without weights. */
  readonly base: string | undefined
  /** Folder of the config file. */
  readonly rootDir: string
  /** Format of its files. */
  readonly format: string
  /** Family of the model. */
  readonly family: string
  readonly template: string
  /** Names of the datasets, and what is known of those of packages. */
  readonly datasets: readonly string[]
  readonly facts: readonly DataFacts[]
}

/** An id of the hub, or the last part of a path: where something lies on a machine is nobody else's business. */
async function published(
  rootDir: string,
  spec: string,
): Promise<{ readonly name: string; readonly id?: string }> {
  // The result of a run is not lost because its data is gone.
  const source = await parseSource(spec, rootDir, 'model').catch(() => null)
  return source !== null && 'id' in source ? { name: source.id, id: source.id } : { name: basename(spec) }
}

/** Characters of Markdown's tables that a name may hold. */
const cell = (text: string) =>
  text.replace(/[|\\\n]/g, (character) => (character === '\n' ? ' ' : `\\${character}`))

/** README.md of an adapter, with the fields that the hub reads (huggingface.co/docs/hub/model-cards). */
export async function adapterCard(made: CardedAdapter): Promise<string> {
  const { method, base: spec, rootDir, format, family, template, datasets, facts } = made
  const base = spec === undefined ? undefined : await published(rootDir, spec)
  // What JSON writes is YAML.
  const head = Object.entries({
    ...(format === 'peft' && { library_name: 'peft' }),
    ...(base?.id !== undefined && { base_model: base.id }),
    tags: [method, 'ift'],
  }).map(([field, value]) => `${field}: ${JSON.stringify(value)}\n`)
  const known = new Map(facts.map((one) => [one.name, one]))
  const rows: string[] = []
  for (const name of new Set(datasets)) {
    const one = known.get(name)
    const shown = one ? name : (await published(rootDir, name)).name
    rows.push(
      `| ${cell(shown)} | ${cell(one?.license ?? '')} | ${cell(one ? restrictions(one).join('; ') : '')} |`,
    )
  }
  return `---
${head.join('')}---

# ${base?.name ?? family} · ${method}

An adapter (${method}) for ${base?.name ?? `a model of the family ${family}`}, made by [ift](https://github.com/ift-dev/ift) ${version}; prompts are those of the template ${template}.

${
  rows.length === 0
    ? ''
    : `## Data

| dataset | licence | |
|---|---|---|
${rows.join('\n')}

What a licence of the data asks may hold for the adapter too.
`
}`
}
