import type { RunCheckpoint, RunRow } from './runs.js'

/**
 * `GET /api/runs/:id/metrics`: all lines as columns of equal length, for charts. Columns that a line has not are null there. `train` has
 * step, loss, gradientNorm, learningRate, tokens, trainedTokens, tokensPerSecond, seconds (of the step), elapsed (of the run), memory, peakMemory, and
 * penalty where a method has one; `evaluation` has step, loss, seconds and whatever plugins measure.
 */
export interface MetricsReply {
  readonly train: Columns
  readonly evaluation: Columns
  /** Where events go on: `?after=`. */
  readonly position: string
  /** Lines that could not be read (a full disk, a killed process). */
  readonly broken: number
}

/**
 * The same with `accept: application/octet-stream`: the little-endian u32 at 0 says where the numbers begin; from 4 to there stand `MetricsBytes` as
 * JSON, and spaces; then the columns of `train` and of `evaluation`, float64 little-endian, NaN for null.
 */
export interface MetricsBytes {
  readonly train: { readonly names: readonly string[]; readonly length: number }
  readonly evaluation: { readonly names: readonly string[]; readonly length: number }
  readonly position: string
  readonly broken: number
}

export type Columns = Readonly<Record<string, readonly (number | null)[]>> & {
  readonly step: readonly number[]
}

/**
 * `GET /api/runs/:id/events[?after=POSITION]`: server-sent events. `id:` is a position, an opaque text that counts lines of the run's files;
 * EventSource sends it back as Last-Event-ID. Without one it begins at the end of the files, with `begin`. A comment every 15 s.
 * 64 streams at a time; 503 beyond.
 */
export interface RunEvents {
  /** First event of every stream. */
  readonly begin: {
    readonly position: string
    /** Names of the columns that are kept of the run, `step` among them. */
    readonly train: readonly string[]
    readonly evaluation: readonly string[]
    readonly row: RunRow
    /** Of the server, as in `MachineReply`. */
    readonly instance: string
    readonly version: string
  }
  readonly step: MetricLine
  readonly evaluation: MetricLine
  readonly sample: SampleRow
  readonly checkpoint: RunCheckpoint
  /** Whenever a field of the row changed that no other event tells: state, error, process, … */
  readonly state: RunRow
  /** The run was resumed at an earlier step, so that lines are gone: read metrics and samples anew. */
  readonly reset: { readonly position: string }
  /** The folder is gone. The stream ends. */
  readonly gone: Record<string, never>
}

export interface MetricLine {
  readonly step: number
  readonly values: Readonly<Record<string, number | null>>
}

/** A line of samples.jsonl. */
export interface SampleRow {
  /** Steps done; 0 is before the first: the base. */
  readonly step: number
  /** Number of the prompt, from 0. */
  readonly index: number
  readonly prompt: string
  readonly answer: string
  /** How it ended: end (token or stop text), length, error (then `answer` says why it was refused). */
  readonly ended: 'end' | 'length' | 'error'
  /** The answer of the data, for prompts of validation data and of files; null for others. */
  readonly expected: string | null
  /** Tokens of the answer. */
  readonly tokens: number
}

/** `GET /api/runs/:id/samples`: all lines, at most 10,000 newest. */
export interface SamplesReply {
  readonly samples: readonly SampleRow[]
  readonly position: string
  readonly more: number
}
