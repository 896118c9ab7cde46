import { mkdirSync } from 'node:fs'
import { metricsFile, samplesFile, type LineFile } from './line-file.js'
import type { RunFolder } from './run-folder.js'
import { TensorBoardWriter } from './tensorboard.js'
import type { LogRecord, SampledAnswer } from '../contract/train.js'

/**
 * Where the numbers of a run go: metrics.jsonl, and a file of events for TensorBoard; and its answers to fixed prompts, samples.jsonl. A log
 * that cannot be written does not stop the run: `warn` is told once for each of the three.
 */
export class RunLog {
  readonly #metrics: LineFile<LogRecord>
  readonly #samples: LineFile<SampledAnswer>
  readonly #warn: (warning: string) => void
  #board: TensorBoardWriter | null = null
  readonly #sampled = new Set<number>()
  readonly #failed = new Set<string>()

  private constructor(
    readonly folder: RunFolder,
    warn: (warning: string) => void,
  ) {
    this.#metrics = metricsFile(folder.metrics)
    this.#samples = samplesFile(folder.samples)
    this.#warn = warn
  }

  /** Opens the log of a run that continues from `step`: entries of later steps are removed. */
  static async open(folder: RunFolder, step: number, warn: (warning: string) => void): Promise<RunLog> {
    const log = new RunLog(folder, warn)
    for (const file of [log.#metrics, log.#samples])
      await file.rewindTo(step).catch((error: unknown) => {
        log.#fail(file.path, error)
      })
    log.#try(folder.samples, () => {
      for (const { step } of log.#samples.read()) log.#sampled.add(step)
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

  /** Whether the prompts were answered at a step. */
  hasSamples(step: number): boolean {
    return this.#sampled.has(step)
  }

  appendSamples(answers: readonly SampledAnswer[]): void {
    this.#try(this.folder.samples, () => {
      this.#samples.append(...answers)
    })
  }

  close(): void {
    this.#try(this.folder.tensorboard, () => this.#board?.close())
  }
}
