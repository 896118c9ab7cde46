import { appendFileSync, existsSync, readFileSync, statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { writeFileAtomic } from '../files/atomic.js'
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
    // A pipe or a device that somebody put there has no end.
    const isFile = statSync(this.path, { throwIfNoEntry: false })?.isFile() === true
    return isFile ? parseMetrics(readFileSync(this.path, 'utf8')) : []
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

function parseMetrics(text: string): LogRecord[] {
  return text.split('\n').flatMap((line) => {
    try {
      const record = JSON.parse(line) as Partial<LogRecord> | null
      const whole = typeof record?.step === 'number' && typeof record.values === 'object'
      return whole ? [record as LogRecord] : []
    } catch {
      return []
    }
  })
}
