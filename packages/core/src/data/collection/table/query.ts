import { isExactNumber } from '../../exact-json.js'
import { isRecord } from '../../read/record.js'
import { textOf } from '../field.js'
import { drop, type Dropped } from '../read.js'
import { average, compare, decimalIn, decimalText, sum } from './decimal.js'
import { Extent } from './extent.js'

type Aggregate = '' | 'MAX' | 'MIN' | 'COUNT' | 'SUM' | 'AVG'
type Operator = '=' | '!=' | '>' | '<'

/** What the numbers in a set's queries stand for. */
export interface QueryCodes {
  readonly aggregates: readonly Aggregate[]
  readonly operators: readonly Operator[]
  readonly connectors: readonly ('and' | 'or')[]
}

/** Zhong et al. 2017, arXiv 1709.00103. */
export const wikiSqlCodes: QueryCodes = {
  aggregates: ['', 'MAX', 'MIN', 'COUNT', 'SUM', 'AVG'],
  operators: ['=', '>', '<'],
  connectors: ['and'],
}

/** NL2SQL (TableQA): Sun et al. 2020, arXiv 2006.06434. */
export const nl2SqlCodes: QueryCodes = {
  aggregates: ['', 'AVG', 'MAX', 'MIN', 'COUNT', 'SUM'],
  operators: ['>', '<', '=', '!='],
  connectors: ['and', 'and', 'or'],
}

/** Columns of an answer, and conditions: those of published sets have four. */
const mostParts = 100
const tooMany = `a query of more than ${mostParts} columns or conditions`

function holds(cell: string, operator: Operator, value: string): boolean {
  const [a, b] = [decimalIn(cell), decimalIn(value)]
  const order = a && b && compare(a, b)
  const equal = order === null ? cell.trim().toLowerCase() === value.trim().toLowerCase() : order === 0
  if (operator === '=') return equal
  if (operator === '!=') return !equal
  return order !== null && (operator === '>' ? order > 0 : order < 0)
}

function aggregated(texts: readonly string[], aggregate: Aggregate): readonly string[] {
  if (aggregate === '') return texts
  if (aggregate === 'COUNT') return [String(texts.length)]
  const found = texts.flatMap((text) => {
    const number = decimalIn(text)
    return number === null ? [] : [{ text: text.trim(), number }]
  })
  if (found.length === 0) return []
  if (aggregate === 'SUM' || aggregate === 'AVG') {
    const total = found.map(({ number }) => number).reduce(sum)
    return [decimalText(aggregate === 'SUM' ? total : average(total, found.length))]
  }
  const best = found.reduce((a, b) => {
    const order = compare(b.number, a.number)
    return (aggregate === 'MAX' ? order > 0 : order < 0) ? b : a
  })
  return [best.text]
}

const whole = (value: unknown): number => {
  const number = isExactNumber(value) ? Number(value.value) : value
  return typeof number === 'number' && Number.isInteger(number) ? number : -1
}

/**
 * The answer of a query of WikiSQL's form, `{sel, agg, conds: [[column, operator, value]], cond_conn_op?}` with one number or a list
 * of them for `sel` and `agg`, over the `rows` of a table: values row by row. Texts are compared in any case of letters, numbers as
 * numbers, by all their digits; an average has 15 significant ones, or all before the point. No row that fits gives no value; a query
 * that is none, asks for too much or does not fit the table, a reason.
 */
export function query(table: unknown, sql: unknown, codes: QueryCodes): readonly string[] | Dropped {
  const rows = isRecord(table) ? table['rows'] : undefined
  if (!Array.isArray(rows) || !rows.every((row): row is unknown[] => Array.isArray(row)))
    return drop('no table')
  if (!isRecord(sql)) return drop('no query')
  const selected = [sql['sel']].flat().map(whole)
  const aggregates = [sql['agg'] ?? 0].flat().map((code) => codes.aggregates[whole(code)])
  if (selected.length > mostParts) return drop(tooMany)
  const connector = codes.connectors[whole(sql['cond_conn_op'] ?? 0)]
  const given: unknown = sql['conds'] ?? []
  if (!Array.isArray(given) || connector === undefined || selected.length === 0) return drop('no query')
  if (given.length > mostParts) return drop(tooMany)
  const conditions: { column: number; operator: Operator; value: string }[] = []
  for (const condition of given as unknown[]) {
    const [column, code, value] = Array.isArray(condition) ? (condition as unknown[]) : []
    const operator = codes.operators[whole(code)]
    const text = textOf(value)
    if (operator === undefined || text === null) return drop('no query')
    conditions.push({ column: whole(column), operator, value: text })
  }
  const width = rows.reduce((most, row) => Math.max(most, row.length), 0)
  const fits = (column: number) => column >= 0 && (rows.length === 0 || column < width)
  if (!selected.every(fits) || !conditions.every(({ column }) => fits(column)))
    return drop('the query asks for a column that the table lacks')
  if (aggregates.length !== selected.length || aggregates.includes(undefined)) return drop('no query')
  const texts = rows.map((row) => row.map((cell) => textOf(cell) ?? ''))
  const test = (row: readonly string[]) => {
    const held = conditions.map(({ column, operator, value }) => holds(row[column] ?? '', operator, value))
    return held.length === 0 || (connector === 'and' ? !held.includes(false) : held.includes(true))
  }
  const matching = texts.filter(test)
  const listed = selected.filter((_, i) => aggregates[i] === '')
  const extent = new Extent()
  if (!matching.every((row) => listed.every((column) => extent.takes(row[column] ?? ''))))
    return drop('an answer that is too long')
  if (listed.length === selected.length)
    return matching.flatMap((row) => selected.map((column) => row[column] ?? ''))
  return selected.flatMap((column, i) =>
    aggregated(
      matching.map((row) => row[column] ?? ''),
      aggregates[i]!,
    ),
  )
}
