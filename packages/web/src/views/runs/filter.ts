import type { RunRow } from '../../api/types.js'

/** Fields that a filter names: `method:lora`. */
const fields: Readonly<Record<string, (run: RunRow) => readonly (string | number | null)[]>> = {
  name: (run) => [run.name],
  state: (run) => [run.state],
  base: (run) => [run.base, run.family],
  method: (run) => [run.method],
  rank: (run) => [run.rank],
  data: (run) => run.data,
  rate: (run) => [run.learningRate],
  bits: (run) => [run.quantize ?? 'none'],
}

const exact = new Set(['rank', 'rate'])

interface Term {
  readonly field: string | null
  readonly text: string
  readonly without: boolean
}

/** Words of a filter: `method:lora -state:failed "two words"`. */
export function termsOf(filter: string): Term[] {
  const words = filter.normalize('NFKC').match(/-?(?:\w+:)?(?:"[^"]*"?|\S+)/g) ?? []
  return words.flatMap((word) => {
    const without = word.length > 1 && word.startsWith('-')
    const [, name, rest] = /^(?:(\w+):)?(.*)$/s.exec(without ? word.slice(1) : word)!
    const known = name !== undefined && name.toLowerCase() in fields
    const text = (known ? rest! : without ? word.slice(1) : word).replaceAll('"', '').toLowerCase()
    // A field whose value is yet to be typed filters nothing.
    return text === '' ? [] : [{ field: known ? name.toLowerCase() : null, text, without }]
  })
}

/** Whether a run has all words of a filter; a word without a field may stand in any. */
export function matches(run: RunRow, terms: readonly Term[]): boolean {
  return terms.every(({ field, text, without }) => {
    const names = field === null ? Object.keys(fields) : [field]
    const found = names.some((name) =>
      fields[name]!(run).some((value) => {
        if (value === null) return false
        if (exact.has(name)) return Number(text) === Number(value)
        return String(value).toLowerCase().includes(text)
      }),
    )
    return found !== without
  })
}
