import { mkdirSync } from 'node:fs'
import { MetricsFile } from './metrics.js'
import type { RunFolder } from './run-folder.js'
import { TensorBoardWriter } from './tensorboard.js'
import type { LogRecord } from '../contract/train.js'

/**
 * Where the numbers of a run go: metrics.jsonl, and a file of events for TensorBoard. A log that cannot be written
 * does not stop the run: `warn` is told once for each of the two.
 */
export class RunLog {
  readonly #metrics: MetricsFile
  readonly #warn: (warning: string) => void
  #board: TensorBoardWriter | null = null
  readonly #failed = new Set<string>()

  private constructor(
    readonly folder: RunFolder,
    warn: (warning: string) => void,
  ) {
    this.#metrics = new MetricsFile(folder.metrics)
    this.#warn = warn
  }

  /** Opens the log of a run that continues from `step`: entries of later steps are removed. */
  static async open(folder: RunFolder, step: number, warn: (warning: string) => void): Promise<RunLog> {
    const log = new RunLog(folder, warn)
    await log.#metrics.rewindTo(step).catch((error: unknown) => {
      log.#fail(folder.metrics, error)
    })
    log.#try(folder.tensorboard, () => {
      mkdirSync(folder.tensorboard, { recursive: true })
      log.#board = new TensorBoardWriter(folder.tensorboard, step)
    })
    return log
  }

  #fail(path: string, error: unknown): void {
    if (this.#failed.has(path)) return
    this.#failed.add(path)
    const why = error instanceof Error ? error.message : String(error)
    this.#warn(`${path} is not complete: a line could not be written (${why}). The run goes on.`)
  }

  #try(path: string, write: () => void): void {
    try {
      write()
    } catch (error) {
      this.#fail(path, error)
    }
  }

  append(record: LogRecord): void {
    this.#try(this.folder.metrics, () => {
      this.#metrics.append(record)
    })
    const named = Object.entries(record.values).map(
      ([key, value]) => [`${record.kind}/${key}`, value] as const,
    )
    this.#try(this.folder.tensorboard, () => this.#board?.scalars(record.step, Object.fromEntries(named)))
  }

  close(): void {
    this.#try(this.folder.tensorboard, () => this.#board?.close())
  }
}
