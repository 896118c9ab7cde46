import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { runHolder, type RunHolder } from '@ift/core'
import { commandOf } from './command.js'
import {
  configFacts,
  documentOf,
  errorOf,
  fields,
  logOf,
  mixtureOf,
  number,
  planOf,
  resultOf,
  text,
  validationKey,
  writtenAt,
} from './run-documents.js'
import { folderBytes } from './folder-bytes.js'
import type { RunFolders, RunPlace } from './run-folders.js'
import type { RunProcesses } from './run-processes.js'
import { RunProgress } from './run-progress.js'
import type { RunCheckpoint, RunCode, RunError, RunReply, RunRow, RunState } from './types.js'
import type { ServedAs } from './served-adapters.js'

type Fields = Readonly<Record<string, unknown>>

/** What is kept of a run between two looks. */
interface Kept {
  readonly progress: RunProgress
  bytes: { readonly at: number; readonly value: number } | null
}

/** What the files of a run say now. */
interface Documents {
  readonly manifest: Fields | null
  readonly plan: Fields | null
  readonly result: Fields | null
  readonly written: Fields | null
}

/** Bytes of the columns of all runs that are kept: 5 MB for 50,000 steps. Those of others are read when they are asked for. */
const mostColumns = 64 * 1024 * 1024

/** How long the size of a folder counts, in milliseconds. */
const sizeAge = 60_000

const emptyRow = {
  ...{ error: null, started: null, updated: null, step: null, totalSteps: null, base: null, family: null },
  ...{ method: null, rank: null, data: [], learningRate: null, quantize: null, loss: null, bestEval: null },
  ...{ lastEval: null, tokensPerSecond: null, peakMemory: null, seconds: null, secondsLeft: null },
  ...{ validationKey: null, bytes: null, process: null },
} as const

/** Reads runs from their files, wherever they were started. */
export class RunReader {
  readonly #folders: RunFolders
  readonly #processes: RunProcesses
  readonly #servedAs: ServedAs
  readonly #kept = new Map<string, Kept>()

  constructor(folders: RunFolders, processes: RunProcesses, servedAs: ServedAs) {
    this.#folders = folders
    this.#processes = processes
    this.#servedAs = servedAs
  }

  /** Rows of all runs, newest first. */
  async rows(): Promise<{ readonly rows: readonly RunRow[]; readonly more: number }> {
    const { places, more } = this.#folders.list()
    const there = new Set(places.map(({ dir }) => dir))
    for (const dir of this.#kept.keys()) if (!there.has(dir)) this.#kept.delete(dir)
    const rows: RunRow[] = []
    for (const place of places) rows.push(await this.row(place))
    const time = ({ started }: RunRow) => started ?? ''
    return { rows: rows.sort((a, b) => (time(a) < time(b) ? 1 : time(a) > time(b) ? -1 : 0)), more }
  }

  #keptOf(dir: string): Kept {
    const found = this.#kept.get(dir) ?? {
      progress: new RunProgress(join(dir, 'metrics.jsonl')),
      bytes: null,
    }
    this.#kept.set(dir, found)
    return found
  }

  #documents(dir: string): Documents {
    const read = (name: string) => documentOf(join(dir, name))
    return {
      manifest: read('manifest.json'),
      // A file that is being replaced, or was written by something else, keeps no run from being shown.
      plan: orNull(() => read('plan.json')),
      result: orNull(() => read('result.json')),
      written: orNull(() => read('config.json')),
    }
  }

  /** What the lines of a run say. */
  progress({ dir }: RunPlace): RunProgress {
    return this.#keptOf(dir).progress
  }

  async row(place: RunPlace): Promise<RunRow> {
    return (await this.#look(place)).row
  }

  async #look(place: RunPlace): Promise<{ readonly row: RunRow; readonly documents: Documents | null }> {
    const { id, name, dir, problem } = place
    const names = { id, name, folder: this.#folders.show(dir) }
    const unreadable = (message: string): { row: RunRow; documents: null } => ({
      row: {
        ...emptyRow,
        ...names,
        state: 'unreadable',
        error: { code: 'unreadable' satisfies RunCode, message, hint: null },
      },
      documents: null,
    })
    if (problem !== null) return unreadable(problem)
    const { progress, bytes } = this.#keptOf(dir)
    try {
      await progress.read()
      let columns = 0
      for (const one of this.#kept.values()) columns += one.progress.columns?.bytes ?? 0
      if (columns > mostColumns) progress.dropColumns()
      const documents = this.#documents(dir)
      const holder = runHolder(dir)
      return {
        row: { ...names, ...this.#rowOf(dir, progress, documents, holder), bytes: bytes?.value ?? null },
        documents,
      }
    } catch (error) {
      return unreadable(error instanceof Error ? error.message : String(error))
    }
  }

  #rowOf(
    dir: string,
    progress: RunProgress,
    documents: Documents,
    holder: RunHolder | null,
  ): Omit<RunRow, 'id' | 'name' | 'folder' | 'bytes'> {
    const { manifest, plan: rawPlan, result: rawResult, written } = documents
    const config = fields(manifest?.['config'] ?? written)
    const [plan, result] = [planOf(rawPlan), resultOf(rawResult)]
    const total = plan?.steps ?? number(fields(config['train'])['maxSteps'])
    const state = this.#stateOf(dir, progress, documents, holder)
    const process = holder && {
      ...{ pid: holder.pid, host: holder.host, since: holder.since },
      canStop: this.#processes.canSignal(holder),
    }
    const started = text(manifest?.['started']) ?? writtenAt(join(dir, 'config.json'))
    return {
      state,
      error: this.#errorOf(dir, state, progress, documents),
      started,
      updated: writtenAt(join(dir, 'metrics.jsonl')) ?? started,
      step: progress.isBegun ? progress.step : manifest ? 0 : null,
      totalSteps: total,
      ...configFacts(config),
      family: text(manifest?.['family']),
      loss: progress.loss,
      bestEval: progress.bestEval,
      lastEval: progress.lastEval,
      tokensPerSecond: progress.tokensPerSecond,
      peakMemory: progress.peakMemory,
      seconds:
        state === 'done' || state === 'stopped' ? (result?.seconds ?? progress.elapsed) : progress.elapsed,
      secondsLeft: holder && total !== null ? progress.secondsLeft(total) : null,
      validationKey: manifest && validationKey(manifest),
      process,
    }
  }

  #stateOf(
    dir: string,
    progress: RunProgress,
    { manifest, result }: Documents,
    holder: RunHolder | null,
  ): RunState {
    if (holder) {
      if (this.#processes.isStopping(holder)) return 'stopping'
      return progress.isBegun ? 'training' : 'starting'
    }
    if (this.#processes.isStarting(dir)) return 'starting'
    const reason = resultOf(result)?.reason
    if (reason !== undefined)
      return reason === 'failed' ? 'failed' : reason === 'interrupted' ? 'stopped' : 'done'
    if (manifest === null && !progress.isBegun) return 'failed'
    // Versions before result.json wrote the result alone.
    const hasOutput = existsSync(join(dir, 'adapter')) || existsSync(join(dir, 'model'))
    return hasOutput && !existsSync(join(dir, 'plan.json')) ? 'done' : 'stopped'
  }

  #errorOf(
    dir: string,
    state: RunState,
    progress: RunProgress,
    { result, manifest }: Documents,
  ): RunError | null {
    if (state === 'failed') {
      const log = logOf(dir, 4096)?.trim()
      const message = log === undefined || log === '' ? 'It ended before its first step.' : log
      return errorOf(result) ?? { code: 'no_step' satisfies RunCode, message, hint: null }
    }
    if (state !== 'stopped' || result !== null || manifest === null) return null
    return {
      code: 'killed' satisfies RunCode,
      message: `Its process ended behind step ${progress.step} without saving.`,
      hint: checkpointSteps(dir).length > 0 ? 'Resume goes on from its newest checkpoint.' : null,
    }
  }

  /** All that the page of a run shows. */
  async reply(place: RunPlace): Promise<RunReply> {
    const { dir } = place
    const kept = this.#keptOf(dir)
    if (place.problem === null && Date.now() - (kept.bytes?.at ?? 0) > sizeAge)
      kept.bytes = { at: Date.now(), value: await folderBytes(dir) }
    const { row, documents } = await this.#look(place)
    const { manifest = null, plan = null, result: rawResult = null, written = null } = documents ?? {}
    const config = manifest === null ? null : fields(manifest['config'])
    const { progress } = kept
    const result = resultOf(rawResult)
    const steps = documents === null ? [] : checkpointSteps(dir)
    const best = result?.bestEval?.step ?? progress.bestEval?.step
    const output = ['adapter', 'model'].map((name) => join(dir, name)).find((path) => existsSync(path))
    const known = written ?? config
    const checkpoints = steps.map((step) => this.#checkpoint(dir, step, best))
    return {
      ...row,
      config,
      written,
      command: known && commandOf(known, { output: row.folder }).lines.join(' \\\n'),
      plan: planOf(plan),
      measured: {
        peakMemory: progress.peakMemory,
        memory: progress.memory,
        tokens: progress.isBegun ? progress.tokens : null,
        trainedTokens: progress.isBegun ? progress.trainedTokens : null,
      },
      checkpoints,
      model:
        (output === undefined ? null : this.#servedAs(output)) ??
        checkpoints.findLast(({ model }) => model !== null)?.model ??
        null,
      output: documents === null || output === undefined ? null : this.#folders.show(output),
      result: row.process === null ? result : null,
      ift: text(manifest?.['ift']),
      node: text(manifest?.['node']),
      device: text(manifest?.['device']),
      mixture: manifest ? mixtureOf(manifest) : [],
      licenses: fields(manifest?.['licenses']) as Readonly<Record<string, string>>,
      warnings: stringsOf(rawResult?.['warnings']),
      log: documents === null ? null : logOf(dir),
      hasReport: documents !== null && existsSync(join(dir, 'report.html')),
      canResume:
        row.process === null && (row.state === 'stopped' || row.state === 'failed') && steps.length > 0,
    }
  }

  /** Checkpoints of a run, oldest first. */
  checkpoints({ dir }: RunPlace): RunCheckpoint[] {
    const best = this.#keptOf(dir).progress.bestEval?.step
    return checkpointSteps(dir).map((step) => this.#checkpoint(dir, step, best))
  }

  #checkpoint(dir: string, step: number, best: number | undefined): RunCheckpoint {
    const path = join(dir, 'checkpoints', `step-${step}`)
    return {
      step,
      written: statSync(path, { throwIfNoEntry: false })?.mtime.toISOString() ?? '',
      bytes: bytesOf(path),
      best: step === best,
      loss: this.#keptOf(dir).progress.evalLosses.get(step) ?? null,
      model: this.#servedAs(join(path, 'adapter')),
    }
  }
}

/** Bytes of the files of a checkpoint, which are few; null while it is taken away. */
const bytesOf = (path: string): number | null =>
  orNull(() =>
    readdirSync(path, { recursive: true, encoding: 'utf8' })
      .map((name) => statSync(join(path, name)))
      .reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0),
  )

/** Steps of whole checkpoints, oldest first: the list of hashes is written last. */
function checkpointSteps(dir: string): number[] {
  const folder = join(dir, 'checkpoints')
  const names = orNull(() => readdirSync(folder)) ?? []
  return names
    .flatMap((name) => {
      const step = /^step-(\d{1,12})$/.exec(name)?.[1]
      return step !== undefined && existsSync(join(folder, name, 'hashes.json')) ? [Number(step)] : []
    })
    .sort((a, b) => a - b)
}

function orNull<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}

const stringsOf = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string').slice(0, 100) : []
