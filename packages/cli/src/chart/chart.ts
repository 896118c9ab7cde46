import type { KnownDataset } from '@ift/core'

/** A bar of a chart of sizes. */
export interface ChartBar {
  readonly name: string
  /** Languages, each with a colour; none where they are not known. */
  readonly languages: readonly string[]
  readonly value: number
  /** Where the number is from, where that differs between bars. */
  readonly source?: string
  /** Not for commercial use. */
  readonly isNonCommercial: boolean
}

export interface Chart {
  readonly title: string
  /** What is counted, and whose numbers these are. */
  readonly about: string
  /** The largest first. */
  readonly bars: readonly ChartBar[]
  /** Sets of which there is no number. */
  readonly unknown: readonly string[]
}

export const languageNames: Readonly<Record<string, string>> = {
  EN: 'English',
  CN: 'Chinese',
  ML: 'many languages',
}

/** What bars of no known language are called. */
export const noLanguage = 'language not stated'

/** Languages of the bars, in the order of a legend; `noLanguage` last where a bar has none. */
export function languagesOf({ bars }: Chart): readonly string[] {
  const there = new Set(bars.flatMap(({ languages }) => languages))
  const named = Object.keys(languageNames).filter((language) => there.has(language))
  return bars.some(({ languages }) => languages.length === 0) ? [...named, noLanguage] : named
}

/** How a value becomes a length between 0 and 1. */
export interface Scale {
  readonly isLogarithmic: boolean
  readonly at: (value: number) => number
  readonly ticks: readonly number[]
}

/** Ratio of the largest to the smallest bar from which lengths are logarithms: else the small ones could not be seen. */
const farApart = 100

/** The scale of a chart: logarithmic where sizes lie far apart, else from zero. */
export function scaleOf(bars: readonly ChartBar[]): Scale {
  const values = bars.map(({ value }) => value).filter((value) => value > 0)
  const [least, most] = [Math.min(...values), Math.max(...values)]
  if (values.length === 0) return { isLogarithmic: false, at: () => 0, ticks: [] }
  if (most / least > farApart) {
    // The shortest bar has a length too.
    const from = Math.floor(Math.log10(least) - 0.3)
    const to = Math.log10(most)
    return {
      isLogarithmic: true,
      at: (value) => (value <= 0 ? 0 : Math.max(0, (Math.log10(value) - from) / (to - from))),
      ticks: Array.from({ length: Math.floor(to) - from }, (_, i) => 10 ** (from + 1 + i)),
    }
  }
  const step = [1, 2, 5, 10].map((factor) => factor * 10 ** Math.floor(Math.log10(most) - 0.7))
  const wide = step.find((one) => most / one <= 6) ?? step.at(-1)!
  return {
    isLogarithmic: false,
    at: (value) => value / most,
    ticks: Array.from({ length: Math.floor(most / wide) }, (_, i) => wide * (i + 1)),
  }
}

export const scaleText = ({ isLogarithmic }: Scale): string =>
  isLogarithmic ? 'Lengths are logarithms.' : 'Lengths begin at zero.'

const sorted = (bars: readonly ChartBar[]) =>
  bars.toSorted((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1))

export type ChartUnit = 'rows' | 'tokens'

/** Numbers of a run by the names of its sets: what an epoch takes. */
export type RunSizes = ReadonlyMap<string, { readonly rows: number; readonly tokens: number }>

const barOf = (name: string, value: number, known: KnownDataset | undefined, source?: string): ChartBar => ({
  ...{ name, value, languages: known?.tags?.lang ?? [] },
  isNonCommercial: known?.license.commercial === false,
  ...(source === undefined ? {} : { source }),
})

/** What an epoch of a run takes of each set. */
export function runChart(sizes: RunSizes, known: readonly KnownDataset[], by: ChartUnit): Chart {
  const of = new Map(known.map((one) => [one.name, one]))
  const bars = sorted([...sizes].map(([name, size]) => barOf(name, size[by], of.get(name))))
  return {
    title: `What an epoch takes, in ${by}`,
    about: `${by === 'rows' ? 'Samples' : 'Tokens'} of an epoch of the config, counted here.`,
    bars,
    unknown: [],
  }
}

/**
 * Datasets of the catalogue: by rows the numbers of their cards, in the unit of each; by tokens those of their cards, and what the config
 * trains on as it was counted here. A set with the records of another one is not shown beside it.
 */
export function catalogueChart(
  chosen: readonly KnownDataset[],
  by: ChartUnit,
  counted: RunSizes = new Map(),
): Chart {
  const names = new Set(chosen.map(({ name }) => name))
  const shown = chosen.filter(({ variantOf }) => variantOf === null || !names.has(variantOf))
  const sized = shown.map((one) => {
    const card = by === 'rows' ? one.count : (one.facts?.tokens?.count ?? null)
    const here = counted.get(one.name)?.[by]
    if (here !== undefined && here > 0) return { one, value: here, source: 'counted here' }
    const source = by === 'rows' ? (one.unit ?? '') : `by ${one.facts?.tokens?.tokenizer ?? 'its card'}`
    return { one, value: card, source }
  })
  return {
    title: `Relative sizes of ${sized.filter(({ value }) => value !== null).length} datasets, in ${by}`,
    about:
      by === 'rows'
        ? 'Records of the published sets by their cards, each in its own unit.'
        : 'Tokens by the cards of the datasets, by the tokenizer that they name, or counted here.',
    bars: sorted(
      sized.flatMap(({ one, value, source }) =>
        value === null ? [] : [barOf(one.name, value, one, source)],
      ),
    ),
    unknown: sized.flatMap(({ one, value }) => (value === null ? [one.name] : [])),
  }
}
