import type { DatasetDefinition } from '../contract/dataset.js'

/** What is known of a dataset that a run is trained on. */
export type DataFacts = Pick<
  DatasetDefinition,
  'name' | 'license' | 'terms' | 'contains' | 'evaluation' | 'warnings'
>

/** What a licence restricts, in words; none where nothing is known to be. */
export function restrictions({ terms }: DataFacts): string[] {
  return [
    ...(terms?.commercial === false ? ['not for commercial use'] : []),
    ...(terms?.shareAlike === true ? ['share alike'] : []),
    ...(terms?.others ?? []).map((who) => `terms of ${who}`),
  ]
}

const licenceOf = (facts: DataFacts): string => {
  const found = restrictions(facts)
  return `${facts.name} ${facts.license}${found.length > 0 ? ` (${found.join('; ')})` : ''}`
}

/** Notes for who trains: licences, sets within sets, data that others evaluate on. */
export function factNotes(all: readonly DataFacts[]): string[] {
  if (all.length === 0) return []
  const names = new Set(all.map(({ name }) => name))
  const notes = [`Licences of the data: ${all.map(licenceOf).join(', ')}.`]
  for (const { name, contains = [], evaluation = [], warnings = [] } of all) {
    const twice = contains.filter((part) => part !== name && names.has(part.split(':')[0]!))
    if (contains.length > 0)
      notes.push(
        `${name} contains ${contains.join(', ')}${twice.length > 0 ? `; of these ${twice.join(', ')} ${twice.length > 1 ? 'are' : 'is'} in the run as well (--dedup exact)` : ''}.`,
      )
    if (evaluation.length > 0)
      notes.push(
        `${name} holds data that others evaluate on: ${evaluation.join(', ')} (decontaminate takes it out).`,
      )
    for (const warning of warnings) notes.push(`${name}: ${warning}`)
  }
  return notes
}
