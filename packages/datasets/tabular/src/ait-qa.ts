import { recordOfFile, textOf, type Part } from '@ift/core/collection'
import { converted } from './converted.js'
import { tableOptions } from './options.js'
import { tablePrompt } from './prompt.js'

interface HeadedTable {
  readonly column_header?: unknown
  readonly row_header?: unknown
  readonly data?: unknown
}

const lists = (value: unknown): readonly (readonly unknown[])[] =>
  Array.isArray(value) ? value.map((one: unknown) => (Array.isArray(one) ? (one as unknown[]) : [one])) : []

const deepest = (headers: readonly (readonly unknown[])[]) =>
  Math.max(0, ...headers.map(({ length }) => length))

/** The header of a level, or the last one above it: a merged cell stands in all of its places. */
const atLevel = (header: readonly unknown[] | undefined, level: number) =>
  textOf(header?.[Math.min(level, header.length - 1)]) ?? ''

/** Rows of a table with headers of several levels: a row for each level of columns, and a leading column for each of rows. */
function flat({ column_header, row_header, data }: HeadedTable): readonly (readonly unknown[])[] {
  const [columns, rows, body] = [lists(column_header), lists(row_header), lists(data)]
  const levels = (count: number) => Array.from({ length: count }, (_, level) => level)
  const [above, beside] = [levels(deepest(columns)), levels(deepest(rows))]
  return [
    ...above.map((level) => [...beside.map(() => ''), ...columns.map((header) => atLevel(header, level))]),
    ...body.map((cells, i) => [...beside.map((level) => atLevel(rows[i], level)), ...cells]),
  ]
}

/** AIT-QA: questions over tables of airlines' annual reports, whose headers have several levels. */
export const aitQa: Part = {
  files: ['raw_data/aitqa_questions.jsonl'],
  options: tableOptions,
  join: {
    table: recordOfFile(() => 'raw_data/aitqa_tables.jsonl', { key: 'id', by: 'table_id' }),
  },
  read: tablePrompt({
    table: (record) => {
      const { table } = record as { readonly table?: HeadedTable }
      return table && flat(table)
    },
    headers: (record) => deepest(lists((record as { table?: HeadedTable }).table?.column_header)),
    question: 'question',
    answer: 'answers',
    meta: ['type'],
  }),
  converted: converted('Table-Question-Answering', 'AIT-QA'),
}
