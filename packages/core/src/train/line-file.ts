import { appendFileSync, existsSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { writeFileAtomic } from '../files/atomic.js'
import { mostMetricsBytes } from '../files/bounds.js'
import { readRegularSync } from '../files/regular-file.js'
import type { LogRecord, SampledAnswer } from '../contract/train.js'

const lineOf = (record: unknown) => `${JSON.stringify(record)}\n`

/** A file of JSON lines about steps, appended at once so that a killed run keeps what it wrote. */
export class LineFile<R extends { readonly step: number }> {
  #torn = false

  /** `isWhole`: whether a line holds a record. */
  constructor(
    readonly path: string,
    readonly isWhole: (value: Partial<R>) => boolean,
  ) {}

  append(...records: readonly R[]): void {
    const lines = records.map(lineOf).join('')
    if (lines === '') return
    try {
      appendFileSync(this.path, this.#torn ? `\n${lines}` : lines)
      this.#torn = false
    } catch (error) {
      // A part of it may be there: the next line begins anew.
      this.#torn = true
      throw error
    }
  }

  /** All records. A broken line, as a killed run or a full disk may leave, is skipped. */
  read(): R[] {
    // Somebody may have put something else there.
    const isFile = statSync(this.path, { throwIfNoEntry: false })?.isFile() === true
    if (!isFile) return []
    const text = readRegularSync(this.path, mostMetricsBytes).toString('utf8')
    return text.split('\n').flatMap((line) => {
      try {
        const record = JSON.parse(line) as Partial<R> | null
        return typeof record?.step === 'number' && this.isWhole(record) ? [record as R] : []
      } catch {
        return []
      }
    })
  }

  /** Removes the lines after a step: a run that is resumed there writes them again. */
  async rewindTo(step: number): Promise<void> {
    if (!existsSync(this.path)) return
    const kept = this.read().filter((record) => record.step <= step)
    if (kept.length) await writeFileAtomic(this.path, kept.map(lineOf).join(''))
    else await rm(this.path, { force: true })
  }
}

const isNumbers = (values: unknown): boolean =>
  typeof values === 'object' &&
  values !== null &&
  // What is no number in JSON, such as an infinite loss, is null there.
  Object.values(values).every((value) => typeof value === 'number' || value === null)

/** metrics.jsonl: a line for each step that is logged, and for each evaluation. */
export const metricsFile = (path: string): LineFile<LogRecord> =>
  new LineFile(path, ({ values }) => isNumbers(values))

/** samples.jsonl: a line for each prompt that was answered at a step. */
export const samplesFile = (path: string): LineFile<SampledAnswer> =>
  new LineFile(
    path,
    ({ index, prompt, answer }) =>
      typeof index === 'number' && typeof prompt === 'string' && typeof answer === 'string',
  )
