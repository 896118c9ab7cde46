import {
  query,
  recordOfFile,
  valueOf,
  type Field,
  type NamesOfSplit,
  type QueryCodes,
} from '@ift/core/collection'

/** The table of a record of WikiSQL or NL2SQL. */
export const queriedTable = (names: NamesOfSplit) => recordOfFile(names, { key: 'id', by: 'table_id' })

export const queriedRows: Field = (record, context) => {
  const [header, rows] = ['table.header', 'table.rows'].map((name) => valueOf(name, record, context))
  return Array.isArray(header) && Array.isArray(rows) ? [header, ...(rows as unknown[])] : undefined
}

/** What the query of a record gives over its table; `nothing` where no row fits. */
export const queried =
  (codes: QueryCodes, nothing = ''): Field =>
  (record, context) => {
    const [table, sql] = ['table', 'sql'].map((name) => valueOf(name, record, context))
    const values = query(table, sql, codes)
    return Array.isArray(values) && values.length === 0 ? nothing : values
  }
