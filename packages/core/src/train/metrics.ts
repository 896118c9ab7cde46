import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { IftError } from '@ift/tensor'
import { writeFileAtomic } from '../checkpoint/atomic.js'
import type { LogRecord } from './types.js'

/** metrics.jsonl: one line per logged step, appended at once so that a killed run keeps what it wrote. */
export class MetricsFile {
  constructor(readonly path: string) {}

  append(record: LogRecord): void {
    appendFileSync(this.path, `${JSON.stringify(record)}\n`)
  }

  /** All records. A last line without its end, as a killed run may leave, is not a record. */
  read(): LogRecord[] {
    return existsSync(this.path) ? parseMetrics(readFileSync(this.path, 'utf8'), this.path) : []
  }

  /** Forgets what came after a step: a resumed run writes those lines again. */
  async rewindTo(step: number): Promise<void> {
    if (!existsSync(this.path)) return
    const kept = this.read().filter((record) => record.step <= step)
    await writeFileAtomic(this.path, kept.map((record) => `${JSON.stringify(record)}\n`).join(''))
  }
}

function parseMetrics(text: string, path: string): LogRecord[] {
  const lines = text.split('\n')
  lines.pop()
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as LogRecord
    } catch (cause) {
      throw new IftError(
        'IFT_FILE_CORRUPT',
        `${path}:${index + 1} is not a line of JSON: ${line.slice(0, 80)}`,
        'Remove the line, or start a new run folder.',
        { cause },
      )
    }
  })
}
