import { appendFileSync, existsSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { writeFileAtomic } from '../files/atomic.js'
import { mostMetricsBytes } from '../files/bounds.js'
import { readRegularSync } from '../files/regular-file.js'
import type { LogRecord } from '../contract/train.js'

/** metrics.jsonl: one line per logged step, appended at once so that a killed run keeps what it wrote. */
export class MetricsFile {
  #torn = false

  constructor(readonly path: string) {}

  append(record: LogRecord): void {
    const line = `${JSON.stringify(record)}\n`
    try {
      appendFileSync(this.path, this.#torn ? `\n${line}` : line)
      this.#torn = false
    } catch (error) {
      // A part of it may be there: the next line begins anew.
      this.#torn = true
      throw error
    }
  }

  /** All records. A broken line, as a killed run or a full disk may leave, is skipped. */
  read(): LogRecord[] {
    // Somebody may have put something else there.
    const isFile = statSync(this.path, { throwIfNoEntry: false })?.isFile() === true
    return isFile ? parseMetrics(readRegularSync(this.path, mostMetricsBytes).toString('utf8')) : []
  }

  /** Removes the lines after a step: a run that is resumed there writes them again. */
  async rewindTo(step: number): Promise<void> {
    if (!existsSync(this.path)) return
    const kept = this.read().filter((record) => record.step <= step)
    if (kept.length)
      await writeFileAtomic(this.path, kept.map((record) => `${JSON.stringify(record)}\n`).join(''))
    else await rm(this.path, { force: true })
  }
}

const isNumbers = (values: unknown): boolean =>
  typeof values === 'object' &&
  values !== null &&
  // What is no number in JSON, such as an infinite loss, is null there.
  Object.values(values).every((value) => typeof value === 'number' || value === null)

function parseMetrics(text: string): LogRecord[] {
  return text.split('\n').flatMap((line) => {
    try {
      const record = JSON.parse(line) as Partial<LogRecord> | null
      const whole = typeof record?.step === 'number' && isNumbers(record.values)
      return whole ? [record as LogRecord] : []
    } catch {
      return []
    }
  })
}
