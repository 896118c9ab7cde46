import { basename, isAbsolute } from 'node:path'
import type { ResolvedConfig } from '../config/schema.js'
import { version } from '../version.js'
import { restrictions, type DataFacts } from './data-facts.js'

/** What a card tells of. */
export interface CardedAdapter {
  readonly config: Pick<ResolvedConfig, 'weights' | 'peft'>
  /** Format of its files. */
  readonly format: string
  /** Family of the model. */
  readonly family: string
  readonly template: string
  /** Names of the datasets, and what is known of those of packages. */
  readonly datasets: readonly string[]
  readonly facts: readonly DataFacts[]
}

/** An id of the hub, or the name of a folder: paths of a machine are nobody else's business. */
const publicName = (path: string) => (isAbsolute(path) || /^[.~]/.test(path) ? basename(path) : path)

/** Characters of Markdown's tables that a name may hold. */
const cell = (text: string) =>
  text.replace(/[|\\\n]/g, (character) => (character === '\n' ? ' ' : `\\${character}`))

/** README.md of an adapter, with the fields that the hub reads (huggingface.co/docs/hub/model-cards). */
export function adapterCard({ config, format, family, template, datasets, facts }: CardedAdapter): string {
  const { method } = config.peft
  const base = config.weights === undefined ? undefined : publicName(config.weights)
  const isId = base !== undefined && /^[\w.-]+\/[\w.-]+(@.+)?$/.test(base)
  // What JSON writes is YAML.
  const head = Object.entries({
    ...(format === 'peft' && { library_name: 'peft' }),
    ...(isId && { base_model: base.replace(/@.*$/, '') }),
    tags: [method, 'ift'],
  }).map(([field, value]) => `${field}: ${JSON.stringify(value)}\n`)
  const known = new Map(facts.map((one) => [one.name, one]))
  const rows = [...new Set(datasets)].map((name) => {
    const one = known.get(name)
    return `| ${cell(one ? name : publicName(name))} | ${cell(one?.license ?? '')} | ${cell(one ? restrictions(one).join('; ') : '')} |`
  })
  return `---
${head.join('')}---

# ${base ?? family} · ${method}

An adapter (${method}) for ${base ?? `a model of the family ${family}`}, made by [ift](https://github.com/ift-dev/ift) ${version}; prompts are those of the template ${template}.

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
