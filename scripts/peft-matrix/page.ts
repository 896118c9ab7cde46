// The parts of docs/peft.md that are made: the matrix, and the options of each method.
import type { PeftMethod } from '@ift/core'
import type { PeftBase } from '@ift/core/testing'
import type { Entry } from './results.js'
import { bases, optionsOf, type MatrixMethod } from './subjects.js'

const marks = { merged: '✓', beside: '○', refused: '–', fails: '✗' } as const

/** A reason without the names that differ from model to model. */
const general = (why: string, family: string) =>
  why
    .replaceAll(/"[^"]*"/g, '"…"')
    .replaceAll(`(${family})`, '(…)')
    .replaceAll(/\s+/g, ' ')

const unique = <T>(values: Iterable<T>): T[] => [...new Set(values)].sort()

/** The marks of some models on each base; one where all bases are alike. */
function markOf(entries: readonly Entry[]): string {
  const on = (base: PeftBase) =>
    unique(entries.map(({ cells }) => marks[cells[base]?.outcome ?? 'fails'])).join('')
  const byBase = bases.map(on)
  return new Set(byBase).size === 1 ? byBase[0]! : byBase.join(' ')
}

/** Methods down, families across, and the reasons below. */
export function matrixTable(entries: readonly Entry[]): string {
  const families = unique(entries.map(({ family }) => family))
  const methods = unique(entries.map(({ method }) => method))
  const rows = methods.map((method) => {
    const own = entries.filter((one) => one.method === method)
    return `| \`${method}\` | ${families.map((family) => markOf(own.filter((one) => one.family === family))).join(' | ')} |`
  })
  const reasons = new Map<string, Set<string>>()
  for (const { method, family, cells } of entries)
    for (const cell of Object.values(cells))
      if ('why' in cell) {
        const reason = `\`${method}\` ${marks[cell.outcome]} ${general(cell.why, family)}`
        reasons.set(reason, (reasons.get(reason) ?? new Set()).add(family))
      }
  const notes = unique(reasons.keys()).map((reason) => {
    const of = reasons.get(reason)!
    return `* ${reason}${of.size === families.length ? '' : ` (${unique(of).join(', ')})`}`
  })
  const models = unique(entries.map(({ model }) => model))
  const cells = entries.reduce((sum, one) => sum + Object.keys(one.cells).length, 0)
  return [
    `Cells: ${cells}. Methods: ${methods.length}. Tiny models: ${models.length}, of ${families.length} families. Bases: ${bases.join(', ')}.`,
    '',
    `| | ${families.join(' | ')} |`,
    `|---|${families.map(() => '---').join('|')}|`,
    ...rows,
    ...(notes.length ? ['', ...notes] : []),
  ].join('\n')
}

/** A row for each option. */
function optionsTable(method: PeftMethod): string {
  const rows = Object.entries(optionsOf(method).properties).map(
    ([name, { default: value, description = '' }]) =>
      `| \`${name}\` | ${value === undefined ? '' : `\`${JSON.stringify(value)}\``} | ${description.replaceAll('|', '\\|')} |`,
  )
  return ['| option | default | |', '|---|---|---|', ...rows].join('\n')
}

function replaced(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name}, made by npm run matrix -->`, `<!-- end of ${name} -->`]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`docs/peft.md lacks ${begin} or ${end}`)
  return `${page.slice(0, from)}${begin}\n\n${text}\n\n${page.slice(to)}`
}

/** docs/peft.md with what is made of it. */
export const peftPage = (page: string, methods: readonly MatrixMethod[], entries: readonly Entry[]): string =>
  methods.reduce(
    (made, { name, method }) => replaced(made, `options of ${name}`, optionsTable(method)),
    replaced(page, 'matrix', matrixTable(entries)),
  )
