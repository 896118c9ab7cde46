import { MetricsFile } from './metrics.js'
import type { RunFolder } from './run-folder.js'
import { TensorBoardWriter } from './tensorboard.js'
import type { LogRecord } from './types.js'

/** Where the numbers of a run go: metrics.jsonl, and a file of events for TensorBoard. */
export class RunLog {
  readonly #metrics: MetricsFile
  readonly #board: TensorBoardWriter

  /** The folder must exist. */
  constructor(folder: RunFolder) {
    this.#metrics = new MetricsFile(folder.metrics)
    this.#board = new TensorBoardWriter(folder.tensorboard)
  }

  append(record: LogRecord): void {
    this.#metrics.append(record)
    const named = Object.entries(record.values).map(
      ([key, value]) => [`${record.kind}/${key}`, value] as const,
    )
    this.#board.scalars(record.step, Object.fromEntries(named))
  }

  close(): void {
    this.#board.close()
  }
}
