import type { SelectableDataset } from './facts.js'
import { parseSelection } from './parse.js'

export interface SelectOptions {
  /**
   * `train` leaves out what training should not take unless a term names it: sets that hold evaluation data, and variants of a set that is
   * taken itself. `all` takes everything that the terms hold for.
   */
  readonly purpose?: 'train' | 'all'
}

/** What a selection takes, in the order of the catalogue, and what it leaves out though its terms hold. */
export interface Selection<F extends SelectableDataset> {
  readonly datasets: readonly F[]
  /** Sets with data that others evaluate on. */
  readonly evaluation: readonly F[]
  /** Sets whose records are in a set that is taken. */
  readonly variants: readonly F[]
}

/**
 * Chooses datasets by their tags, licences, names and sizes: `lang:cn gen:si -licence:nc`. The grammar stands in docs/datasets.md.
 * Throws IFT_SELECTION for a key or value that is not known.
 */
export function select<F extends SelectableDataset>(
  catalogue: readonly F[],
  query: string,
  { purpose = 'train' }: SelectOptions = {},
): Selection<F> {
  const terms = parseSelection(query, catalogue)
  const matches = catalogue.filter((facts) =>
    terms.every(({ denied, conditions }) => conditions.some(({ holds }) => holds(facts)) !== denied),
  )
  if (purpose === 'all') return { datasets: matches, evaluation: [], variants: [] }
  const isNamed = (facts: F) =>
    terms.some(
      ({ denied, conditions }) => !denied && conditions.some(({ names, holds }) => names && holds(facts)),
    )
  const evaluation = matches.filter((facts) => facts.evaluation.length > 0 && !isNamed(facts))
  const rest = matches.filter((facts) => !evaluation.includes(facts))
  const taken = new Set(rest.map(({ name }) => name))
  const variants = rest.filter(
    (facts) => facts.variantOf !== null && taken.has(facts.variantOf) && !isNamed(facts),
  )
  return { datasets: rest.filter((facts) => !variants.includes(facts)), evaluation, variants }
}

/** The datasets that `select` takes. */
export const selectDatasets = <F extends SelectableDataset>(
  catalogue: readonly F[],
  query: string,
  options?: SelectOptions,
): readonly F[] => select(catalogue, query, options).datasets
