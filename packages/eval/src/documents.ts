import {
  dataFiles,
  hashFiles,
  IftError,
  plainJson,
  readRecords,
  type TaskContext,
  type TaskDefinition,
} from '@ift/core'
import { statSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'

/** A document of a task and where its record stands. */
export interface LocatedDocument {
  readonly document: unknown
  /** Path within the data and line, with a number behind it where a record gave several: `test/law.csv:12`. */
  readonly id: string
  readonly group: string | null
  readonly cluster: string | null
}

/** The documents of files. */
export interface Documents {
  readonly items: readonly LocatedDocument[]
  readonly files: readonly string[]
  /** Of the contents of the files. */
  readonly sha256: string
  readonly dropped: Readonly<Record<string, number>>
}

/** Documents that a task reads at most: a million questions are more than any test has, and all of them are in memory. */
const mostItems = 1_000_000

const isFolder = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true

/** Files of a folder that one of the patterns matches, the first that does; null where the task names none. */
async function filesOf(
  task: TaskDefinition,
  folder: string,
  kind: 'items' | 'shots',
): Promise<readonly string[]> {
  const patterns = task.files?.[kind] ?? []
  for (const pattern of patterns)
    try {
      return await dataFiles(join(folder, pattern), 'all')
    } catch (error) {
      if (!(error instanceof IftError) || error.code !== 'IFT_SOURCE_NOT_FOUND') throw error
    }
  if (kind === 'items' && patterns.length === 0) return dataFiles(folder, 'all')
  throw new IftError(
    'IFT_SOURCE_NOT_FOUND',
    `${folder}: expected ${kind === 'items' ? 'the test' : 'the examples that are shown'} of ${task.name} (${patterns.join(' or ')}), found none of these files.`,
    kind === 'items'
      ? `Name the file: --data FILE. The data of ${task.name}: ${task.source}`
      : 'Name the file: --shots-data FILE. Or ask without examples: --shots 0',
  )
}

/** Name of a file without folder and endings. */
const stemOf = (file: string) => basename(file).replace(/(\.[A-Za-z]+){1,2}$/, '')

/** Reads the documents of a task from a file or folder. IFT_EVAL_DATA, with reasons, where not one is found. */
export async function readDocuments(
  task: TaskDefinition,
  place: string,
  context: TaskContext,
  kind: 'items' | 'shots' = 'items',
): Promise<Documents> {
  const folder = isFolder(place)
  const files = folder ? await filesOf(task, place, kind) : await dataFiles(place, 'all')
  const root = resolve(folder ? place : dirname(place))
  const header = task.files?.header
  const items: LocatedDocument[] = []
  const dropped = new Map<string, number>()
  let records = 0
  let fields: readonly string[] = []
  for (const file of files)
    // A record of its own, such as one in a list of one file, is no wrapper of a list.
    for await (const raw of readRecords(file, { isExample: () => true, ...(header && { header }) })) {
      records++
      const record = plainJson(raw.record) as Readonly<Record<string, unknown>>
      fields = Object.keys(record)
      const where = raw.where
      const documents = called(task, 'read', () => task.read({ record, where, file: stemOf(file) }, context))
      if (typeof documents === 'string') {
        dropped.set(documents, (dropped.get(documents) ?? 0) + 1)
        continue
      }
      const id = relative(root, resolve(where)).replaceAll('\\', '/')
      for (const [k, document] of documents.entries()) {
        const label = documents.length > 1 ? `${id}#${k + 1}` : id
        const group = called(task, 'group', () => task.group?.(document, context) ?? null)
        const cluster = called(task, 'cluster', () => task.cluster?.(document, context) ?? null)
        items.push({ document, id: label, group, cluster })
      }
      if (items.length > mostItems)
        throw new IftError(
          'IFT_EVAL_DATA',
          `${place}: expected at most ${mostItems} questions, found more.`,
          'Cut the file into several.',
        )
    }
  if (items.length === 0)
    throw new IftError(
      'IFT_EVAL_DATA',
      `${place}: ${task.name} found no question in ${records} record${records === 1 ? '' : 's'}${
        dropped.size ? `: ${[...dropped].map(([reason, n]) => `${n} with ${reason}`).join(', ')}` : ''
      }.${fields.length ? ` The last one has ${fields.slice(0, 12).join(', ')}.` : ''}`,
      task.source === ''
        ? 'See docs/evaluation.md for what its records look like.'
        : `Its data: ${task.source}`,
    )
  return { items, files, sha256: await hashFiles(files), dropped: Object.fromEntries(dropped) }
}

/** Calls a function of a task; what it throws names the task. */
export function called<T>(task: TaskDefinition, what: string, run: () => T): T {
  const fail = (cause: unknown): never => {
    if (cause instanceof IftError) throw cause
    throw new IftError(
      'IFT_PLUGIN_FAILED',
      `Task "${task.name}" failed in ${what}: ${cause instanceof Error ? cause.message : String(cause)}`,
      'Report it to whoever made the task.',
      { cause },
    )
  }
  try {
    return run()
  } catch (cause) {
    return fail(cause)
  }
}

/** So many of a list, evenly spread over it: the first ones of a file are often of one subject. */
export const spread = <T>(list: readonly T[], limit: number | null): readonly T[] =>
  limit === null || limit >= list.length
    ? list
    : Array.from({ length: limit }, (_, i) => list[Math.floor((i * list.length) / limit)]!)
