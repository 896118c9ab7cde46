import { setTimeout as sleep } from 'node:timers/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { HttpError } from '../wire/errors.js'
import { LineTail } from './line-tail.js'
import { metricOf, sampleOf } from './records.js'
import type { RunPlace } from './run-folders.js'
import type { RunReader } from './run-reader.js'
import type { RunEvents, RunRow } from './types.js'

/** Streams at a time, of all runs together. */
const mostStreams = 64
/** Milliseconds between two looks at the files, and between two at the rest of the folder. */
const fast = 250
const slow = 1000
/** Lines that are handed over at a time to one who was away. */
const mostAtOnce = 8 * 1024 * 1024

/** An event of a stream; `id` is where the stream goes on behind it. */
export interface RunEvent<N extends keyof RunEvents = keyof RunEvents> {
  readonly event: N
  readonly id: string
  readonly data: RunEvents[N]
}

interface Position {
  readonly file: string
  readonly lines: number
  readonly samples: number
}

const positionText = ({ file, lines, samples }: Position) => `${file}.${lines}.${samples}`

/** Where a stream goes on; null for a text that is none. */
function positionOf(given: string | undefined): Position | null {
  const [, file, lines, samples] = /^([0-9a-z]{1,16})\.(\d{1,12})\.(\d{1,12})$/.exec(given ?? '') ?? []
  return file === undefined ? null : { file, lines: Number(lines), samples: Number(samples) }
}

/** Follows a run by its files: they are written by another process, which knows nothing of it. */
export class RunFollower {
  readonly #reader: RunReader
  readonly #server: { readonly instance: string; readonly version: string }
  #open = 0

  constructor(reader: RunReader, server: { readonly instance: string; readonly version: string }) {
    this.#reader = reader
    this.#server = server
  }

  /** Streams that are open now. */
  get open(): number {
    return this.#open
  }

  /** The events of a run behind a position, or from now on. Throws 503 where too many watch. Ends with `signal`. */
  follow(place: RunPlace, after: string | undefined, signal: AbortSignal): AsyncIterable<RunEvent> {
    if (this.#open >= mostStreams)
      throw new HttpError(503, 'too_many', `${mostStreams} pages watch runs already, the limit.`, {
        type: 'server_error',
        headers: { 'retry-after': '5' },
      })
    this.#open++
    return this.#events(place, positionOf(after), signal)
  }

  async *#events(place: RunPlace, after: Position | null, signal: AbortSignal): AsyncGenerator<RunEvent> {
    const { dir } = place
    const metrics = new LineTail(join(dir, 'metrics.jsonl'))
    const samples = new LineTail(join(dir, 'samples.jsonl'))
    const here = (): string =>
      positionText({ file: metrics.file, lines: metrics.lines, samples: samples.lines })
    /** Events that were read and not handed over. */
    let ready: RunEvent[] = []
    const passUpTo = ({ lines, samples: own }: Omit<Position, 'file'>) => {
      metrics.passed = lines
      samples.passed = own
    }
    passUpTo(after ?? { lines: Infinity, samples: Infinity })
    const readMetrics = () =>
      metrics.read((line, number) => {
        const metric = metricOf(line)
        if (metric === null) return
        const { kind, step, values } = metric
        const id = positionText({ file: metrics.file, lines: number, samples: samples.lines })
        ready.push({ event: kind === 'train' ? 'step' : 'evaluation', id, data: { step, values } })
      }, mostAtOnce)
    const readSamples = () =>
      samples.read((line, number) => {
        const sample = sampleOf(line)
        if (sample === null) return
        const id = positionText({ file: metrics.file, lines: metrics.lines, samples: number })
        ready.push({ event: 'sample', id, data: sample })
      }, mostAtOnce)
    const drained = () => {
      const events = ready
      ready = []
      return events
    }
    try {
      let row = await this.#reader.row(place)
      let more = true
      // What the reader of the page has is passed over.
      while (more) more = (await readMetrics()).more
      for (more = true; more;) more = (await readSamples()).more
      // Another file than the one that it knows, or a shorter one: the run was resumed meanwhile.
      const isOther =
        after !== null && ((after.file !== '0' && after.file !== metrics.file) || after.lines > metrics.lines)
      if (isOther) ready = []
      passUpTo({ lines: 0, samples: 0 })
      const columns = this.#reader.progress(place).columns
      yield {
        event: 'begin',
        id: after === null || isOther ? here() : positionText(after),
        data: {
          position: here(),
          train: columns?.train.names ?? [],
          evaluation: columns?.evaluation.names ?? [],
          row,
          ...this.#server,
        },
      }
      if (isOther) yield { event: 'reset', id: here(), data: { position: here() } }
      yield* drained()
      let known = new Set(this.#reader.checkpoints(place).map(({ step }) => step))
      let looked = Date.now()
      while (!signal.aborted) {
        const read = [await readMetrics(), await readSamples()]
        if (read.some(({ again }) => again) && existsSync(dir)) {
          // What is there now is handed out by other paths; from here on what comes behind it.
          passUpTo({ lines: Infinity, samples: Infinity })
          for (more = true; more;) more = [await readMetrics(), await readSamples()].some((one) => one.more)
          passUpTo({ lines: 0, samples: 0 })
          ready = []
          yield { event: 'reset', id: here(), data: { position: here() } }
        }
        const events = drained()
        yield* events
        if (Date.now() - looked >= slow || events.length > 0) {
          looked = Date.now()
          if (!existsSync(dir)) {
            yield { event: 'gone', id: here(), data: {} }
            return
          }
          const checkpoints = this.#reader.checkpoints(place)
          for (const checkpoint of checkpoints)
            if (!known.has(checkpoint.step)) yield { event: 'checkpoint', id: here(), data: checkpoint }
          known = new Set(checkpoints.map(({ step }) => step))
          const now = await this.#reader.row(place)
          if (tells(now) !== tells(row)) yield { event: 'state', id: here(), data: now }
          row = now
        }
        if (!read.some((one) => one.more)) await sleep(fast, undefined, { signal }).catch(() => undefined)
      }
    } finally {
      this.#open--
    }
  }
}

/** What of a row no line of the files tells. */
const tells = ({ state, error, process, totalSteps, started, base, method }: RunRow): string =>
  JSON.stringify([state, error, process, totalSteps, started, base, method])
