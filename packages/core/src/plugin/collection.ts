import { IftError } from '@ift/tensor'
import type { DatasetDefinition } from '../contract/dataset.js'
import { collectionDataset, type Part } from '../data/collection/dataset.js'
import { datasetFacts, readCard, type Card } from './card.js'
import { defineDataset, definePlugin, type IftPlugin } from './define.js'

/** What a card says of one of its datasets. */
function factsOf(card: Card, name: string): Omit<DatasetDefinition, 'load'> {
  const facts = datasetFacts(card, name)
  const { description, tags, license, upstream, citation, size, hub } = facts
  const { commercial, shareAlike, terms } = license
  const places = upstream.flatMap(({ hub: onHub, url }) => url ?? (onHub === undefined ? [] : [onHub]))
  return {
    name,
    license: license.id,
    terms: { commercial, shareAlike, others: terms },
    contains: facts.contains,
    evaluation: facts.evaluation,
    warnings: facts.warnings,
    source: [places.join(', '), citation].filter(Boolean).join('; '),
    upstream,
    description,
    tags,
    ...(size && { size: { count: size.count, unit: size.unit } }),
    ...(hub !== undefined && { hub }),
  }
}

/**
 * The datasets of a package: what is known of them by its card (an object, or the URL of card.json), and how their files are read.
 * Throws IFT_PLUGIN_MANIFEST where the card is wrong, or the parts are not those that it names.
 */
export function defineCollection(card: object, parts: Readonly<Record<string, Part>>): IftPlugin {
  const known = readCard(card)
  const [described, given] = [Object.keys(known.datasets), Object.keys(parts)]
  const lone = [...described, ...given].find((name) => !described.includes(name) || !given.includes(name))
  if (lone !== undefined)
    throw new IftError(
      'IFT_PLUGIN_MANIFEST',
      described.includes(lone)
        ? `The card of ${known.name} describes the dataset "${lone}", of which there is no part.`
        : `There is a part "${lone}", which the card of ${known.name} does not describe.`,
      'The card and the parts of defineCollection have the same names.',
    )
  const definitions = described.map((name) => collectionDataset(factsOf(known, name), parts[name]!))
  return definePlugin(`collection:${known.name}`, (host) => {
    // A package named by its path stands for the dataset that it registers last.
    for (const definition of definitions.toReversed()) host.use(defineDataset(definition))
  })
}
