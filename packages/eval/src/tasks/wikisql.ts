import type { TaskDefinition } from '@ift/core'
import { z } from 'zod'
import { sameNumber } from '../metrics/index.js'
import {
  executeWikiSql,
  parseWikiSql,
  saidAnswer,
  sameResult,
  sameWikiSql,
  type WikiSqlQuery,
  type WikiSqlTable,
} from '../tabular/index.js'
import { field, textOf } from './fields.js'
import { tableText } from './table-text.js'

const options = z.strictObject({
  answer: z
    .enum(['query', 'values'])
    .default('query')
    .describe('What is asked for: a query, which is executed, or the values that are in the table.'),
})

interface Question {
  readonly id: string
  readonly question: string
  readonly title: string
  readonly table: WikiSqlTable
  readonly query: WikiSqlQuery
  /** What the query of the record gives. */
  readonly result: readonly (string | number | null)[]
}

/** Cells and columns of a table: WikiSQL's largest has 1,950 cells. */
const mostCells = 100_000

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value)

function tableOf(value: unknown): WikiSqlTable | null {
  if (!isRecord(value)) return null
  const { header, types, rows } = value
  if (!isList(header) || !isList(types) || !isList(rows) || header.length === 0) return null
  if (types.length !== header.length || rows.length * header.length > mostCells) return null
  const kinds = types.map((type) => (type === 'real' ? 'real' : 'text'))
  if (!rows.every((row): row is readonly unknown[] => isList(row) && row.length === header.length))
    return null
  return {
    header: header.map(textOf),
    types: kinds,
    rows: rows.map((row) =>
      row.map((cell, column) => {
        if (cell === null || typeof cell === 'number') return cell
        const text = textOf(cell)
        // The hub has numbers as texts.
        const plain = text.replaceAll(',', '')
        return kinds[column] === 'real' && /^[-+]?\d+(?:\.\d+)?$/.test(plain) ? Number(plain) : text
      }),
    ),
  }
}

/** Conditions as [column, operator, value], or as the lists of each that the hub has. */
function queryOf(value: unknown): WikiSqlQuery | null {
  if (!isRecord(value)) return null
  const { sel, agg = 0, conds = [] } = value
  const columns = isRecord(conds)
    ? [conds['column_index'], conds['operator_index'], conds['condition']]
    : null
  const [at, operators, values] = columns ?? []
  const given = columns
    ? isList(at) && isList(operators) && isList(values)
      ? at.map((column, i) => [column, operators[i], values[i]])
      : null
    : conds
  if (typeof sel !== 'number' || typeof agg !== 'number' || !isList(given)) return null
  const found: [number, number, string | number][] = []
  for (const condition of given) {
    const [column, operator, wanted] = isList(condition) ? condition : []
    if (typeof column !== 'number' || typeof operator !== 'number') return null
    if (typeof wanted !== 'number' && typeof wanted !== 'string') return null
    found.push([column, operator, wanted])
  }
  return { sel, agg, conds: found }
}

const plain = (text: string) => text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim()

/** Whether an answer names the values of a result and no others, in any order, divided by commas or line breaks. */
function namesValues(answer: string, result: Question['result']): boolean {
  const said = (saidAnswer(answer) ?? answer).trim().replace(/(?<=\S)[.。]$/u, '')
  const values = result.map((value) => plain(String(value ?? '')))
  if (values.length === 1 && typeof result[0] === 'number') {
    const bare = /^[-+]?[$¥€£]?[\d,.]+%?$/u.test(plain(said).replace(/ /g, ''))
    return bare && sameNumber(said, values[0]!)
  }
  const parts = (text: string) =>
    text
      .split(/\s*[,，、;；\n]\s*/u)
      .map(plain)
      .filter((part) => part !== '')
      .sort()
  const [found, wanted] = [parts(said), values.flatMap(parts).sort()]
  return found.length === wanted.length && found.every((part, i) => part === wanted[i])
}

/**
 * Questions over tables of Wikipedia (Zhong et al., 2017), in the layout of the hub, with the table in each record. The query of an answer is
 * executed, and what it gives compared with what the query of the record gives.
 */
export const wikiSql: TaskDefinition<Question, z.output<typeof options>> = {
  name: 'wikisql',
  version: '1',
  description: 'Questions over tables, by what the query of an answer gives.',
  source: 'https://huggingface.co/datasets/Salesforce/wikisql',
  licence: 'BSD-3-Clause',
  options,
  files: {
    items: ['test.*', '**/test-*', '**/test.*'],
    shots: ['train.*', '**/train-*', '**/train.*'],
  },
  metrics: {
    execution: { description: 'the answer comes to the result of the query of the record', kind: 'share' },
    form: { description: 'the query is that of the record', kind: 'share' },
  },
  main: 'execution',
  shots: 0,
  prompt: 'instruction',
  read(record) {
    const question = field(record, 'question')
    if (question === '') return 'no question'
    const given = record.record['table']
    const table = tableOf(given)
    if (!table) return 'no table with header, types and rows'
    const query = queryOf(record.record['sql'])
    const result = query && executeWikiSql(table, query)
    if (!query || !result) return 'no query that fits its table'
    if (result.every((value) => value === null)) return 'a query that finds nothing'
    const text = (name: string) => (isRecord(given) ? textOf(given[name]).trim() : '')
    const title = [text('page_title'), text('section_title')].filter((part) => part !== '').join(' - ')
    return [{ id: text('id'), question, title, table, query, result }]
  },
  render({ question, title, table }, { options: { answer } }) {
    const { header, types, rows } = table
    const head = title === '' ? '' : `Table: ${title}\n`
    if (answer === 'values')
      return (
        'Answer the question with the values of the table alone, divided by commas.\n\n' +
        `${head}${tableText(header, rows)}\n\nQuestion: ${question}\nAnswer:`
      )
    const columns = header
      .map((name, i) => `"${name}" (${types[i] === 'real' ? 'number' : 'text'})`)
      .join(', ')
    return (
      'Write the SQL query that answers the question: SELECT a column, or one of MAX, MIN, COUNT, SUM and AVG of it, FROM table WHERE ' +
      'conditions with =, > or <, joined by AND. Names of columns stand in double quotes, texts in single ones.\n\n' +
      `${head}Columns: ${columns}\nFirst rows:\n${tableText(header, rows.slice(0, 3))}\n\nQuestion: ${question}\nSQL:`
    )
  },
  generate: { until: [], maxNewTokens: 128 },
  extract: (answer, { table }, { options: { answer: asked } }) => {
    if (asked === 'values') return (saidAnswer(answer) ?? answer).trim() || null
    const query = parseWikiSql(answer, table.header)
    return query && JSON.stringify(query)
  },
  score({ table, query, result }, { answer }, { options: { answer: asked } }) {
    if (asked === 'values') return { execution: namesValues(answer, result) ? 1 : 0, form: null }
    const found = parseWikiSql(answer, table.header)
    return {
      execution: found && sameResult(executeWikiSql(table, found), result) ? 1 : 0,
      form: found && sameWikiSql(found, query) ? 1 : 0,
    }
  },
  // Questions over one table are no independent draws.
  cluster: ({ id }) => (id === '' ? null : id),
}
