import { IftError, writeFileAtomic, streamRegular } from '@ift/core'
import { appendFileSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { EvalSample } from './results.js'

/** A line of samples.jsonl: a question, an answer and a judge's reply of some thousand characters each. */
const mostLineBytes = 8 << 20

const isSample = (value: unknown): value is EvalSample => {
  const sample = value as Partial<EvalSample> | null
  return (
    typeof sample === 'object' &&
    typeof sample?.id === 'string' &&
    typeof sample.key === 'string' &&
    typeof sample.scores === 'object'
  )
}

/** The samples of a file, a line each. What is no sample, such as a line that a killed process did not end, is passed over. */
export async function* readSamples(path: string): AsyncGenerator<EvalSample> {
  const decoder = new TextDecoder()
  let rest = ''
  const parsed = (line: string): EvalSample[] => {
    try {
      const value: unknown = JSON.parse(line)
      return isSample(value) ? [value] : []
    } catch {
      return []
    }
  }
  for await (const piece of streamRegular(path)) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n')
    rest = lines.pop()!
    if (rest.length > mostLineBytes)
      throw new IftError(
        'IFT_FILE_CORRUPT',
        `${path}: expected lines of at most ${mostLineBytes} bytes, found a longer one.`,
        'Name another folder: --output DIR',
      )
    for (const line of lines) yield* parsed(line)
  }
  yield* parsed(rest)
}

/** samples.jsonl while it is made: a sample is on disk before the next one is asked for, and those of an earlier call are found again. */
export class SamplesFile {
  #torn: boolean

  private constructor(
    readonly path: string,
    /** Samples that are there, by id; the last of an id counts. */
    readonly found: ReadonlyMap<string, EvalSample>,
    torn: boolean,
  ) {
    this.#torn = torn
  }

  static async open(path: string): Promise<SamplesFile> {
    const found = new Map<string, EvalSample>()
    const info = statSync(path, { throwIfNoEntry: false })
    if (info !== undefined) for await (const sample of readSamples(path)) found.set(sample.id, sample)
    else mkdirSync(dirname(path), { recursive: true })
    return new SamplesFile(path, found, info !== undefined && info.size > 0)
  }

  append(sample: EvalSample): void {
    // A killed process may have left a line without its end.
    const line = `${this.#torn ? '\n' : ''}${JSON.stringify(sample)}\n`
    this.#torn = false
    try {
      appendFileSync(this.path, line)
    } catch (cause) {
      throw new IftError(
        'IFT_FILE_UNWRITABLE',
        `${this.path}: a sample could not be written: ${cause instanceof Error ? cause.message : String(cause)}`,
        'Make room, and run the same command again: what is there is not asked for again.',
        { cause },
      )
    }
  }

  /** The samples in the order of the items, and no others. */
  async finish(samples: readonly EvalSample[]): Promise<void> {
    await writeFileAtomic(this.path, async (file) => {
      for (const sample of samples) await file.write(`${JSON.stringify(sample)}\n`)
    })
  }
}
