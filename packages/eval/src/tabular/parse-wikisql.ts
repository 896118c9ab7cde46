import { wikiSqlAggregates, wikiSqlOperators, type WikiSqlQuery } from './wikisql.js'

/** Bounds of a query that a model writes: those of WikiSQL have some hundred characters and up to four conditions. */
const mostCharacters = 4_000
const mostConditions = 100

const plainName = (name: string) => name.normalize('NFKC').toLowerCase().replace(/\s+/g, '')

const selection = /\bselect\s+(?<selected>[^;]+?)\s+from\s+(?:"[^"]*"|`[^`]*`|\[[^\]]*\]|[^\s;`]+)/isu
/** Where a query ends: at its end, a semicolon, the mark of a block of code, or a line break. */
const end = /^[^\S\n]*(?:;|`|\n|$)/u
/** Words that a query goes on with, which logical forms have nothing for. */
const further =
  /^\s*(?:where|and|or|order|group|having|limit|union|join|inner|left|right|on|between|like|in|not|is)\b/iu

const ends = (rest: string) => end.test(rest) && !further.test(rest)

/** Reads names of columns as the header has them, in quotes or without, and as `col2`. */
function columnsOf(header: readonly string[]): (written: string) => number | null {
  const names = new Map(header.map((name, index) => [plainName(name), index]))
  return (written) => {
    const text = written.trim()
    const bare = /^(["'`])(?<quoted>.*)\1$|^\[(?<bracketed>.*)\]$/su.exec(text)?.groups
    const name = plainName(bare?.['quoted'] ?? bare?.['bracketed'] ?? text)
    const numbered = /^col(\d+)$/.exec(name)
    return names.get(name) ?? (numbered && Number(numbered[1]) < header.length ? Number(numbered[1]) : null)
  }
}

/** The value at the beginning of a text, in quotes or up to what ends it, and what stands behind it. */
function valueAt(text: string): { readonly value: string; readonly rest: string } | null {
  const quoted = /^\s*(?:"(?<double>(?:[^"]|"")*)"|'(?<single>(?:[^']|'')*)')/u.exec(text)
  const groups = quoted?.groups
  if (quoted)
    return {
      value: groups!['double']?.replaceAll('""', '"') ?? groups!['single']!.replaceAll("''", "'"),
      rest: text.slice(quoted[0].length),
    }
  const bare = /^\s*(?<value>[^\s;`=<>](?:(?!\s+and\b)[^;`\n])*)/iu.exec(text)
  if (!bare) return null
  const value = bare.groups!['value']!.trim()
  // A word of SQL in it is no part of a value.
  return /\s(?:or|order by|group by|limit)\b/i.test(value)
    ? null
    : { value, rest: text.slice(bare[0].length) }
}

/**
 * The logical form of the first query in what a model wrote, of the kind that WikiSQL has: SELECT [aggregate(]column[)] FROM anything [WHERE
 * column =|>|< value AND …]; what is said before and behind is left out. Null for a query of another kind, and for any other text.
 */
export function parseWikiSql(text: string, header: readonly string[]): WikiSqlQuery | null {
  const columnOf = columnsOf(header)
  const source = text.slice(0, mostCharacters)
  const query = selection.exec(source)
  if (!query) return null
  const selected = query.groups!['selected']!.trim()
  const call = /^(?<agg>max|min|count|sum|avg)\s*\(\s*(?<column>.+?)\s*\)$/isu.exec(selected)?.groups
  const aggregate = call?.['agg']!.toUpperCase() ?? ''
  // Counted are rows, so any column will do for a star.
  const sel =
    columnOf(call?.['column'] ?? selected) ?? (aggregate === 'COUNT' && call!['column'] === '*' ? 0 : null)
  if (sel === null) return null
  const agg = wikiSqlAggregates.findIndex((name) => name === aggregate)
  const conds: [number, number, string][] = []
  let rest = source.slice(query.index + query[0].length)
  let joint = /^\s+where\s+/i
  while (!ends(rest)) {
    const begins = joint.exec(rest)
    if (!begins || conds.length === mostConditions) return null
    const condition = rest.slice(begins[0].length)
    const found = operatorOf(condition, columnOf)
    const value = found && valueAt(condition.slice(found.behind))
    if (!found || !value || value.value === '') return null
    conds.push([found.column, found.operator, value.value])
    rest = value.rest
    joint = /^\s*\band\s+/i
  }
  return { sel, agg, conds }
}

/** The first sign of a comparison that has a column in front of it: names of columns may hold such signs. */
function operatorOf(condition: string, columnOf: (written: string) => number | null) {
  for (const { 0: sign, index } of condition.matchAll(/[=<>]/g)) {
    const column = columnOf(condition.slice(0, index))
    if (column === null) continue
    return { column, operator: wikiSqlOperators.findIndex((one) => one === sign), behind: index + 1 }
  }
  return null
}
