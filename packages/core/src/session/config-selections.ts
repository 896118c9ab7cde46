import { IftError } from '@ift/tensor'
import { compositeSelection } from '../data/composites.js'
import { select } from '../data/selection/index.js'
import { knownDatasets, type KnownDataset } from '../plugin/known-datasets.js'
import type { PluginSession } from '../plugin/plugin-session.js'

// `select` in the entries of a config, resolved when it is read: the config that everything else sees, and that the manifest of a run
// records, has the names. A later catalogue changes no run that has begun.

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

type SelectionEntry = Fields & { readonly select: string }

/** An entry with a selection, or with a name that stands for one; null for anything else, which is checked with the config. */
function selectionOf(entry: unknown): SelectionEntry | null {
  if (typeof entry === 'string') return selectionOf({ name: entry })
  if (!isFields(entry)) return null
  const { name, select: own, ...rest } = entry
  if (own !== undefined)
    return typeof own === 'string' && name === undefined ? { select: own, ...rest } : null
  const meant = typeof name === 'string' ? compositeSelection(name) : undefined
  return meant === undefined ? null : { select: meant, ...rest }
}

const namesOf = (datasets: readonly KnownDataset[]) => datasets.map(({ name }) => name).join(', ')

/** A config without selections, and what they stood for, to tell. */
export interface WithoutSelections {
  readonly config: unknown
  readonly notes: readonly string[]
}

/**
 * Puts the datasets that selections take in their place. Each has the fields of the entry, of `share` an equal part. Data to
 * decontaminate by may be evaluation data; other selections leave it out. Throws IFT_SELECTION for one that takes nothing.
 */
export function withoutSelections(session: PluginSession, config: unknown): WithoutSelections {
  const notes: string[] = []
  let known: KnownDataset[] | undefined
  const expand = (entry: unknown, where: string, purpose: 'train' | 'all'): unknown[] => {
    const selection = selectionOf(entry)
    if (selection === null) return [entry]
    const { select: query, share, ...rest } = selection
    const place = `${where}: select: ${query}`
    let found
    try {
      found = select((known ??= knownDatasets(session)), query, { purpose })
    } catch (cause) {
      if (!(cause instanceof IftError)) throw cause
      throw new IftError(cause.code, `${where}: ${cause.message}`, cause.hint, { cause })
    }
    const { datasets, evaluation, variants } = found
    const leftOut = [
      ...(evaluation.length > 0 ? [`with evaluation data: ${namesOf(evaluation)}`] : []),
      ...(variants.length > 0 ? [`variants of these: ${namesOf(variants)}`] : []),
    ].join('; ')
    if (datasets.length === 0)
      throw new IftError(
        'IFT_SELECTION',
        `${place} takes no dataset${leftOut && `; left out are sets ${leftOut}`}.`,
        evaluation.length > 0
          ? `Name those that are to be taken all the same: name:${evaluation[0]!.name}`
          : `See what there is: npx ift data list ${query}`,
      )
    notes.push(`${place}: ${namesOf(datasets)}.${leftOut && ` Left out unless named: ${leftOut}.`}`)
    return datasets.map(({ name }) => ({
      name,
      ...rest,
      ...(share === undefined ? {} : { share: typeof share === 'number' ? share / datasets.length : share }),
    }))
  }
  const expandAll = (data: unknown, where: string, purpose: 'train' | 'all' = 'train'): unknown => {
    if (!Array.isArray(data)) return selectionOf(data) ? expand(data, where, purpose) : data
    return data.flatMap((entry, i) => expand(entry, `${where}[${i}]`, purpose))
  }
  if (!isFields(config)) return { config, notes }
  const { data, validation, decontaminate } = config
  const changed = {
    ...config,
    ...(data === undefined ? {} : { data: expandAll(data, 'data') }),
    ...(isFields(validation) && validation['data'] !== undefined
      ? { validation: { ...validation, data: expandAll(validation['data'], 'validation.data') } }
      : {}),
    ...(decontaminate === undefined
      ? {}
      : {
          decontaminate:
            isFields(decontaminate) && decontaminate['against'] !== undefined
              ? {
                  ...decontaminate,
                  against: expandAll(decontaminate['against'], 'decontaminate.against', 'all'),
                }
              : expandAll(decontaminate, 'decontaminate', 'all'),
        }),
  }
  return { config: notes.length === 0 ? config : changed, notes }
}
