import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../workspace.mjs'
import { faultsOf, type Cells } from './cell.js'
import { sourcesOf } from './sources.js'
import type { MatrixMethod, MatrixModel } from './subjects.js'

const path = join(root, 'bench/results/peft-matrix.json')

/** The cells of a method on a model, and the hash of the sources that they came from. */
export interface Entry {
  readonly method: string
  readonly family: string
  readonly model: string
  readonly sources: string
  readonly cells: Cells
}

export interface Pair {
  readonly method: MatrixMethod
  readonly model: MatrixModel
  readonly sources: string
  /** What is recorded, where the sources are as they were; null else. */
  entry: Entry | null
}

const readResults = (): Entry[] =>
  existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Entry[]) : []

/** What is recorded of every method with every model. */
export function recordedPairs(methods: readonly MatrixMethod[], models: readonly MatrixModel[]): Pair[] {
  const results = readResults()
  return methods.flatMap((method) =>
    models.map((model) => {
      const sources = sourcesOf(method, model)
      const entry = results.find((one) => one.method === method.name && one.model === model.name)
      return { method, model, sources, entry: entry?.sources === sources ? entry : null }
    }),
  )
}

/** Whether there is nothing to run again. */
export const isDone = ({ entry }: Pair): boolean => entry !== null && faultsOf(entry.cells).length === 0

/** Writes what is known, a line each, so that a change shows what it changed. */
export function writeResults(pairs: readonly Pair[]): void {
  const lines = pairs.flatMap(({ entry }) => (entry === null ? [] : [JSON.stringify(entry)]))
  writeFileSync(`${path}.new`, `[\n${lines.join(',\n')}\n]\n`)
  renameSync(`${path}.new`, path)
}
