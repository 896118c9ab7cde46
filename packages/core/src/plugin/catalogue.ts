import { existsSync, readFileSync } from 'node:fs'
import { packageRoot } from '../version.js'
import { checkCard, type Card } from './card.js'
import { namesOf, readProvides, type Provides } from './manifest.js'
import type { PluginKind } from './names.js'

/** A package of this project, installed or not. */
export interface CataloguePackage {
  readonly package: string
  readonly description: string
  readonly provides: Provides
  /** What is known of the data, of a package of datasets; checked when it is asked for, as errors need no more than names. */
  readonly card?: Card
}

const file = new URL('generated/catalogue.json', packageRoot)

let known: readonly CataloguePackage[] | undefined

/** An entry of catalogue.json. Throws IFT_PLUGIN_MANIFEST for what it says wrongly, of its card as soon as somebody asks for that. */
export function cataloguePackage({ card, ...entry }: CataloguePackage): CataloguePackage {
  const described = { ...entry, provides: readProvides(entry, entry.package) }
  if (card === undefined) return described
  let checked: Card | undefined
  return {
    ...described,
    get card() {
      return (checked ??= checkCard(card, entry.package))
    },
  }
}

const read = (): readonly CataloguePackage[] =>
  existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as CataloguePackage[]).map(cataloguePackage) : []

/**
 * What the packages of this project say of themselves, joined by `scripts/catalogue.mjs` when core is built: so that an error
 * can say what to install. Empty in sources that were never built.
 */
export const catalogue = (): readonly CataloguePackage[] => (known ??= read())

/** The package of this project that provides a name. */
export const packageFor = (
  kind: PluginKind,
  name: string,
  from: readonly CataloguePackage[] = catalogue(),
): string | undefined =>
  kind === 'plugin' ? undefined : from.find(({ provides }) => namesOf(provides, kind).includes(name))?.package
