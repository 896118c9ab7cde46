/** A table of WikiSQL: columns of texts or of numbers. */
export interface WikiSqlTable {
  readonly header: readonly string[]
  readonly types: readonly ('text' | 'real')[]
  readonly rows: readonly (readonly (string | number | null)[])[]
}

/** A logical form: `agg` of column `sel` in the rows that meet all conditions [column, operator, value]. */
export interface WikiSqlQuery {
  readonly sel: number
  /** Index in `wikiSqlAggregates`. */
  readonly agg: number
  readonly conds: readonly (readonly [column: number, operator: number, value: string | number])[]
}

export const wikiSqlAggregates = ['', 'MAX', 'MIN', 'COUNT', 'SUM', 'AVG'] as const
export const wikiSqlOperators = ['=', '>', '<'] as const

type Value = string | number | null

/** Conditions of a logical form: published ones have four. */
const mostConditions = 100

const decimal = /^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?\s*$/i

/** A cell as WikiSQL's databases hold it: texts in lower case, numbers in columns of numbers where they are one. */
function stored(cell: Value, type: 'text' | 'real'): Value {
  if (cell === null) return null
  if (type === 'real') return typeof cell === 'string' && decimal.test(cell) ? Number(cell) : lower(cell)
  return lower(String(cell))
}
const lower = (value: string | number) => (typeof value === 'string' ? value.toLowerCase() : value)

/** The value of a condition on a column of numbers: as it is, without separators, or the first number in it. Null where it has none. */
function numberOf(value: string): number | null {
  const plain = value.replaceAll(',', '')
  if (decimal.test(plain)) return Number(plain)
  const first = /[-+]?\d*\.\d+|\d+/.exec(value)
  return first ? Number(first[0]) : null
}

/** As SQLite orders values: numbers before texts, texts by their bytes. */
function compare(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return typeof a === 'number' ? -1 : 1
}

/** What a text counts as in a sum: the number that it begins with. */
const counted = (value: string | number): number =>
  typeof value === 'number'
    ? value
    : Number(/^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?/i.exec(value)?.[0] ?? 0)

function aggregated(values: readonly Value[], agg: number): Value[] {
  const present = values.filter((value) => value !== null)
  switch (wikiSqlAggregates[agg]) {
    case 'COUNT':
      return [present.length]
    case 'MAX':
    case 'MIN': {
      const sign = wikiSqlAggregates[agg] === 'MAX' ? 1 : -1
      if (present.length === 0) return [null]
      return [present.reduce((best, value) => (sign * compare(value, best) > 0 ? value : best))]
    }
    case 'SUM':
    case 'AVG': {
      if (present.length === 0) return [null]
      const sum = present.reduce<number>((total, value) => total + counted(value), 0)
      return [wikiSqlAggregates[agg] === 'SUM' ? sum : sum / present.length]
    }
    default:
      return [...values]
  }
}

/**
 * The values that a logical form gives over its table, as the database engine of WikiSQL does (Zhong et al., 2017, arXiv 1709.00103;
 * `lib/dbengine.py` over SQLite): texts are compared in lower case, values for columns of numbers are read as numbers, and of several conditions
 * on one column the last value counts for all. An aggregate of no row is null, a count 0. Null for a form that does not fit the table. `query` of
 * `@ift/core/collection`, which makes answers for training, reads numbers of texts too: published accuracies need this one.
 */
export function executeWikiSql(table: WikiSqlTable, { sel, agg, conds }: WikiSqlQuery): Value[] | null {
  const width = table.header.length
  const fits = (column: number) => Number.isInteger(column) && column >= 0 && column < width
  if (!fits(sel) || wikiSqlAggregates[agg] === undefined || conds.length > mostConditions) return null
  const wanted = new Map<number, string | number>()
  for (const [column, operator, value] of conds) {
    if (!fits(column) || wikiSqlOperators[operator] === undefined) return null
    const isReal = table.types[column] === 'real'
    const number = isReal && typeof value === 'string' ? numberOf(value) : null
    if (isReal && typeof value === 'string' && number === null) return null
    wanted.set(column, number ?? (isReal ? value : String(lower(value))))
  }
  const cellOf = (row: readonly Value[], column: number) =>
    stored(row[column] ?? null, table.types[column] === 'real' ? 'real' : 'text')
  const matching = table.rows.filter((row) =>
    conds.every(([column, operator]) => {
      const cell = cellOf(row, column)
      if (cell === null) return false
      const order = compare(cell, wanted.get(column)!)
      return operator === 0 ? order === 0 : operator === 1 ? order > 0 : order < 0
    }),
  )
  return aggregated(
    matching.map((row) => cellOf(row, sel)),
    agg,
  )
}

/** Whether two forms are the same but for the order and the case of their conditions: the accuracy of logical forms. */
export function sameWikiSql(first: WikiSqlQuery, second: WikiSqlQuery): boolean {
  const conditions = ({ conds }: WikiSqlQuery) =>
    [
      ...new Set(
        conds.map(([column, operator, value]) =>
          JSON.stringify([column, operator, String(value).toLowerCase()]),
        ),
      ),
    ]
      .sort()
      .join()
  return first.sel === second.sel && first.agg === second.agg && conditions(first) === conditions(second)
}

/** Whether two results are the same, row by row: the accuracy of execution. No result is the same as none that fits. */
export const sameResult = (found: readonly Value[] | null, wanted: readonly Value[] | null): boolean =>
  found !== null &&
  wanted !== null &&
  found.length === wanted.length &&
  found.every((value, i) => value === wanted[i])
