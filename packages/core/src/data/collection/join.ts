import { array, string } from 'zod'
import { readJson } from '../../files/read-json.js'
import { readRecords } from '../read/index.js'
import type { ReadOptions } from '../read/record.js'
import type { Join, NamesOfSplit } from './companions.js'
import { textOf, valueOf, type Field } from './field.js'
import type { RecordContext } from './read.js'

/** How a table in a file of its own is written. */
export type TableFileOptions = Pick<ReadOptions, 'delimiter' | 'escape' | 'quotes' | 'encoding'>

/** The path that a record names: the text of a field. Several are names of one file, of which the first found counts. */
type PathOf = Field

function pathsOf(path: PathOf, record: unknown, context: RecordContext): readonly string[] {
  const texts = [valueOf(path, record, context)].flat().map(textOf)
  return texts.filter((text): text is string => text !== null && text !== '')
}

async function rowsIn(path: string, options: TableFileOptions): Promise<readonly (readonly unknown[])[]> {
  const rows: (readonly unknown[])[] = []
  for await (const { record } of readRecords(path, { ...options, header: false }))
    rows.push(Object.values(record))
  return rows
}

/** The rows of the table (.csv, .tsv) whose path a record gives: lists of texts, the names of the columns first. */
export const rowsOfFile =
  (path: PathOf, options: TableFileOptions = {}): Join =>
  (record, files, context) =>
    files.named('rows', pathsOf(path, record, context), (file) => rowsIn(file, options))

/** The object in the JSON file whose path a record gives. */
export const objectOfFile =
  (path: PathOf): Join =>
  (record, files, context) =>
    files.named('object', pathsOf(path, record, context), async (file) => {
      for await (const { record: object } of readRecords(file)) return object
      return undefined
    })

/** The record of another file whose field `key` has the text of the field `by`. All of them are kept in memory. */
export const recordOfFile =
  (names: NamesOfSplit, { key, by }: { readonly key: string; readonly by: Field }): Join =>
  async (record, files, context) => {
    const all = await files.needed('records', names, async (path) => {
      const found = new Map<string, unknown>()
      for await (const { record: one } of readRecords(path)) {
        const id = textOf(one[key])
        if (id !== null && !found.has(id)) found.set(id, one)
      }
      return found
    })
    return all.get(textOf(valueOf(by, record, context)) ?? '')
  }

/** Whether the text of a field is in the JSON list of texts that another file is. */
export const isInFile =
  (names: NamesOfSplit, by: Field): Join =>
  async (record, files, context) => {
    const list = await files.needed(
      'list',
      names,
      async (path) => new Set(await readJson(path, array(string()))),
    )
    return list.has(textOf(valueOf(by, record, context)) ?? '')
  }
