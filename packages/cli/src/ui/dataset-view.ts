import type { SelectableDataset, KnownDataset } from '@ift/core'
import { compact } from './format.js'

/** NC: not for commercial use; SA: share alike; ?: nobody says whether commercial use is allowed. */
export const licenceMarks = ({ commercial, shareAlike }: SelectableDataset['license']): string[] => [
  ...(commercial === false ? ['NC'] : commercial === undefined ? ['?'] : []),
  ...(shareAlike === true ? ['SA'] : []),
]

/** Columns of what results are written to; 100 for a file or a program. */
export const resultWidth = (): number => (process.stdout.isTTY ? process.stdout.columns || 80 : 100)

const cut = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1)).trimEnd()}…`

interface Column {
  readonly of: (one: KnownDataset) => string
  /** What is longer is cut. */
  readonly most: number
  /** The column that is left out first where a line has no room has the lowest. */
  readonly rank: number
}

const packageOf = ({ package: of, name }: KnownDataset) => {
  const short = of?.replace(/^@ift\/dataset-/, '')
  return short === undefined || short === name ? '' : `[${short}]`
}

const columns: readonly Column[] = [
  { of: ({ name }) => name, most: 40, rank: 9 },
  {
    of: ({ tags }) =>
      tags === null ? '' : [tags.lang, tags.task, tags.gen].map((words) => words.join('/')).join(' '),
    most: 20,
    rank: 8,
  },
  { of: ({ count }) => (count === null ? '' : compact(count)), most: 10, rank: 6 },
  { of: ({ unit }) => unit ?? '', most: 13, rank: 2 },
  {
    of: ({ license, evaluation }) =>
      [...licenceMarks(license), ...(evaluation.length > 0 ? ['EVAL'] : [])].join(' '),
    most: 12,
    rank: 7,
  },
  { of: ({ license }) => license.id ?? '', most: 20, rank: 5 },
  { of: packageOf, most: 30, rank: 3 },
]

/** Columns that a description is given at least; else it is left out. */
const leastDescription = 16

/** Lines of a table of datasets by name, none wider than `width`; columns that matter less are left out where there is no room. */
export function datasetLines(datasets: readonly KnownDataset[], width: number): ReadonlyMap<string, string> {
  const gap = '  '
  let shown = columns.map((column) => ({
    ...column,
    width: Math.max(...datasets.map((one) => cut(column.of(one), column.most).length)),
  }))
  shown = shown.filter((column) => column.width > 0)
  const taken = () => shown.reduce((sum, column) => sum + gap.length + column.width, 0)
  while (shown.length > 1 && taken() > width) {
    const least = Math.min(...shown.map(({ rank }) => rank))
    shown = shown.filter(({ rank }) => rank !== least)
  }
  const left = width - taken() - gap.length
  return new Map(
    datasets.map((one) => {
      const cells = shown.map((column) => cut(column.of(one), column.most).padEnd(column.width))
      const described = left >= leastDescription ? [cut(one.description, left)] : []
      return [one.name, cut(['', ...cells, ...described].join(gap).trimEnd(), width)]
    }),
  )
}
