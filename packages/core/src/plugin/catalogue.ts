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
  /** What is known of the data, of a package of datasets. */
  readonly card?: Card
}

const file = new URL('generated/catalogue.json', packageRoot)

let known: readonly CataloguePackage[] | undefined

function read(): readonly CataloguePackage[] {
  if (!existsSync(file)) return []
  const packages = JSON.parse(readFileSync(file, 'utf8')) as CataloguePackage[]
  return packages.map(({ card, ...one }) => ({
    ...one,
    provides: readProvides(one, one.package),
    ...(card && { card: checkCard(card, one.package) }),
  }))
}

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
