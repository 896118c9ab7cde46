import type { DatasetDefinition } from '../contract/dataset.js'
import type { SelectableDataset } from '../data/selection/index.js'
import { datasetFacts, type Card, type DatasetFacts } from './card.js'
import type { CataloguePackage } from './catalogue.js'
import { namesOf } from './manifest.js'
import type { PluginSession } from './plugin-session.js'

/** A dataset with everything that is known of it before its package is loaded. */
export interface KnownDataset extends SelectableDataset {
  readonly description: string
  /** What `count` counts; null when there is no count. */
  readonly unit: string | null
  /** Whether its package is there, or a plugin of the config registers it. */
  readonly installed: boolean
  /** Card of its package; null for a package without one. */
  readonly card: Card | null
  /** What the card says of this dataset. */
  readonly facts: DatasetFacts | null
}

/** The datasets of a package by its card. */
const ofCard = (of: string, card: Card, installed: boolean): KnownDataset[] =>
  Object.entries(card.datasets).map(([name, { variantOf }]) => {
    const facts = datasetFacts(card, name)
    const { description, tags, license, evaluation, size = facts.original } = facts
    return {
      ...{ name, package: of, title: card.title, description, installed, card, facts },
      ...{ tags, license, evaluation },
      kind: card.kind,
      count: size?.count ?? null,
      unit: size?.unit ?? null,
      variantOf: variantOf ?? null,
    }
  })

/** What a package without a card, or a plugin, says of a dataset. */
interface Said {
  readonly description?: string | undefined
  readonly license?: string | undefined
  readonly tags?: SelectableDataset['tags'] | undefined
  readonly size?: { readonly count: number; readonly unit: string } | undefined
  readonly terms?: DatasetDefinition['terms'] | undefined
  readonly evaluation?: readonly string[] | undefined
}

const said = (name: string, of: string | null, facts: Said, installed: boolean): KnownDataset => ({
  ...{ name, package: of, title: null, description: facts.description ?? '', installed },
  ...{ card: null, facts: null },
  tags: facts.tags ?? null,
  kind: [],
  license: {
    id: facts.license ?? null,
    commercial: facts.terms?.commercial,
    shareAlike: facts.terms?.shareAlike,
  },
  count: facts.size?.count ?? null,
  unit: facts.size?.unit ?? null,
  evaluation: facts.evaluation ?? [],
  variantOf: null,
})

/** The datasets of a catalogue. */
export const catalogueDatasets = (
  catalogue: readonly CataloguePackage[],
  isInstalled: (of: string) => boolean = () => false,
): KnownDataset[] =>
  catalogue.flatMap(({ package: of, provides, card }) =>
    card === undefined
      ? namesOf(provides, 'dataset').map((name) => said(name, of, provides.dataset[name]!, isInstalled(of)))
      : ofCard(of, card, isInstalled(of)),
  )

/** Every dataset that a config can name: of plugins in use, of installed packages, and those of this project that can be installed. */
export function knownDatasets(session: PluginSession): KnownDataset[] {
  const packages = session.packages()
  const there = new Set(packages.map(({ package: of }) => of))
  const known = new Map<string, KnownDataset>()
  const add = (one: KnownDataset) => {
    if (!known.has(one.name)) known.set(one.name, one)
  }
  const ours = catalogueDatasets(session.catalogue(), (of) => there.has(of))
  const names = new Set(ours.map(({ name }) => name))
  for (const name of session.hooks.dataset.names())
    if (!names.has(name)) add(said(name, null, session.hooks.dataset.find(name)!, true))
  for (const { package: of, provides } of packages)
    for (const name of namesOf(provides, 'dataset'))
      if (!names.has(name)) add(said(name, of, provides.dataset[name] ?? {}, true))
  for (const one of ours)
    add(session.hooks.dataset.find(one.name) === undefined ? one : { ...one, installed: true })
  return [...known.values()]
}
