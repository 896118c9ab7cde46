import type { RunRow } from '../../api/types.js'

/** A value of a config as a cell shows it. */
export function valueText(value: unknown, most = 24): string {
  if (value === null || value === undefined) return '—'
  if (typeof value === 'string') return value === '' ? '""' : value
  if (typeof value === 'number') return numberText(value)
  if (typeof value === 'boolean') return String(value)
  const text = JSON.stringify(value)
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`
}

/** Numbers as a config file has them: 0.0003 as 3e-4. */
function numberText(value: number): string {
  const [plain, exponent] = [String(value), value.toExponential().replace('e+', 'e')]
  return exponent.length < plain.length ? exponent : plain
}

/** A config, or a part of it, by dotted paths; lists are values. */
export function flatten(config: unknown, path = ''): Map<string, unknown> {
  const out = new Map<string, unknown>()
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    if (path !== '') out.set(path, config)
    return out
  }
  for (const [key, value] of Object.entries(config))
    for (const [inner, each] of flatten(value, path === '' ? key : `${path}.${key}`)) out.set(inner, each)
  return out
}

/** A row of the difference table: values in the order of the runs, and which of them differ from the first. */
export interface Difference {
  readonly path: string
  readonly values: readonly unknown[]
  readonly differs: readonly boolean[]
}

const same = (a: unknown, b: unknown) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null)

/** Marks what differs from the first run, which is the reference. */
export const marked = (path: string, values: readonly unknown[]): Difference => ({
  path,
  values,
  differs: values.map((value) => !same(value, values[0])),
})

/** Differences of configs by path: those of `paths` that are not the same in all. */
export function differences(configs: readonly unknown[]): Difference[] {
  const flat = configs.map((config) => flatten(config))
  const paths = [...new Set(flat.flatMap((each) => [...each.keys()]))]
  return paths
    .map((path) =>
      marked(
        path,
        flat.map((each) => each.get(path) ?? null),
      ),
    )
    .filter(({ differs }) => differs.includes(true))
}

/** Whether the runs were not validated on the same rows, so that their losses cannot be compared. */
export function otherValidation(runs: readonly Pick<RunRow, 'validationKey'>[]): boolean {
  const keys = new Set(runs.flatMap(({ validationKey }) => validationKey ?? []))
  return keys.size > 1
}

/** Names without the words that all of them begin with: `lora-r8`, `pissa-r8`. */
export function shortNames(names: readonly string[]): string[] {
  if (names.length < 2) return [...names]
  const words = names.map((name) => name.split(/(?<=[-_ ])/))
  let common = 0
  while (words.every((each) => each.length > common + 1 && each[common] === words[0]![common])) common++
  return words.map((each) => each.slice(common).join(''))
}
