import { isMixture, type MixtureRow } from '@ift/core'
import { compact } from './format.js'

const percent = (share: number) => `${(100 * share).toFixed(1)} %`

const columns: readonly (readonly [title: string, value: (row: MixtureRow) => string])[] = [
  ['set', ({ name }) => name],
  ['rows', ({ rows }) => String(rows)],
  ['an epoch', ({ taken }) => String(taken)],
  ['share', ({ share }) => percent(share)],
  ['tokens', ({ tokens }) => (tokens === null ? '–' : compact(tokens))],
  ['of tokens', ({ tokenShare }) => (tokenShare === null ? '–' : percent(tokenShare))],
  ['epochs seen', ({ epochs }) => epochs.toFixed(2)],
  ['dropped', ({ dropped }) => (dropped === null ? '–' : String(dropped))],
  ['duplicates', ({ duplicates }) => String(duplicates)],
]

/** The table of a mixture as rows of a listing; nothing for a set that is taken as it is. */
export function mixtureRows(mixture: readonly MixtureRow[]): [string, string][] {
  if (!isMixture(mixture)) return []
  const lines = [columns.map(([title]) => title), ...mixture.map((row) => columns.map(([, of]) => of(row)))]
  const widths = columns.map((_, c) => Math.max(...lines.map((line) => line[c]!.length)))
  return lines.map((line, l) => [
    l === 0 ? 'mixture' : '',
    line.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!))).join('  '),
  ])
}
