/**
 * What `/api/*` of a server answers and is asked, as JSON: over 400 lines, because the page takes its types from this file alone. Bytes are bytes, times are seconds, moments are ISO 8601 in UTC, losses are nats
 * per trained token. What is not known is null, never absent and never 0. Errors have the body `ApiProblem`.
 *
 * Every path but `POST /api/session` needs the token: the cookie of `POST /api/session`, or `Authorization: Bearer TOKEN`. POST and DELETE
 * need a request of the page itself (Origin, where there is one) and JSON with `content-type: application/json`.
 */

import type { MixtureRow, Plan, RunPlan } from '@ift/core'

// What core writes into plan.json and manifest.json is handed on as it is.
export type { MixtureRow, Plan, RunPlan } from '@ift/core'

/** Codes of errors of /api and /v1: the page has words for each of them in its languages. */
export type ErrorCode =
  // Who may ask, and how.
  | 'invalid_api_key'
  | 'host_not_allowed'
  | 'origin_not_allowed'
  | 'not_found'
  | 'method_not_allowed'
  | 'content_type'
  | 'body_too_large'
  | 'invalid_json'
  | 'invalid_value'
  | 'unsupported_parameter'
  | 'unsupported_content'
  // The model and its answers.
  | 'no_model'
  | 'loading'
  | 'model_not_found'
  | 'context_length_exceeded'
  | 'adapter_not_found'
  | 'adapter_unusable'
  | 'adapters_full'
  | 'adapters_closed'
  | 'queue_full'
  | 'shutting_down'
  | 'out_of_memory'
  | 'internal_error'
  // Runs, plans and data.
  | 'run_exists'
  | 'run_is_training'
  | 'run_elsewhere'
  | 'not_running'
  | 'cannot_start'
  | 'cannot_resume'
  | 'outside'
  | 'too_many'
  | 'superseded'
  | 'data'
  | 'reading'
  | 'unmapped'

/** Codes of runs and plans besides those of ift's own errors (`IFT_…`). */
export type RunCode = 'killed' | 'no_step' | 'unreadable' | 'plan_failed' | 'option'

/** Body of every reply that is no 2xx, as of /v1. */
export interface ApiProblem {
  readonly error: {
    /** What, where, expected, found. To be shown as it is. */
    readonly message: string
    readonly type: string
    /** Field of the request that is wrong, as the path of an option where it is one: `config.train.learningRate`. */
    readonly param: string | null
    /** invalid_api_key (401: token missing or old), not_found, invalid_value, run_is_training, not_running, run_elsewhere, too_many, … */
    readonly code: string | null
    /** What to do next; null where there is nothing. */
    readonly hint?: string | null
  }
}

/** A text in both languages of the page. */
export interface BothLanguages {
  readonly en: string
  readonly zh: string
}

/** `POST /api/session` {token}: sets the cookie (HttpOnly, SameSite=Strict). 204; 401 for another token. `DELETE /api/session` takes it away. */
export interface SessionRequestBody {
  /**
   * Behind `#t=` of the address that the terminal printed. The page takes it out of the address at once (history.replaceState). A route may
   * stand behind it: `#t=TOKEN/runs/ID` is the token, then `#/runs/ID`.
   */
  readonly token: string
}

// ---------------------------------------------------------------- machine

/** `GET /api/machine`. */
export interface MachineReply {
  /** Of @ift/serve; another one than the page was loaded with means: reload. */
  readonly version: string
  /** Other at every start of the server. */
  readonly instance: string
  readonly now: string
  /** `EPYC · 2 threads`: as the device describes itself, else the processor. */
  readonly device: string
  /** cpu, cuda, … ; null without a model. */
  readonly deviceKind: string | null
  readonly cores: number
  readonly memory: {
    /** Of the machine. */
    readonly total: number
    readonly used: number
    /** Of the server's own process (resident). */
    readonly server: number
    /** Of the device, where it has a memory of its own. */
    readonly device: number | null
  }
  /** What /v1 answers with: null without a model (`--no-model`). `loading` until it is open, `failed` with why. */
  readonly model: {
    readonly state: 'loading' | 'ready' | 'failed'
    readonly error: string | null
    /** Name in `model` of requests; null until it is open. */
    readonly id: string | null
    readonly family: string | null
    readonly template: string | null
    readonly dtype: string | null
    readonly quantize: string | null
    /** Tokens of prompt and answer at most; null where unbounded. */
    readonly context: number | null
    /** Ids of the special tokens of the vocabulary, for chips in a frame. */
    readonly specialTokens: readonly string[]
    /** Adapters by their name in `model`. */
    readonly adapters: readonly string[]
  } | null
  readonly runs: { readonly total: number; readonly training: number; readonly failed: number }
  /** Folders that runs are looked for in, relative to the working folder where they lie in it. */
  readonly folders: readonly string[]
  /** Whether runs can be started, stopped and resumed from here; else why not, to be shown. */
  readonly canStart: boolean
  readonly whyNot: string | null
}

// ---------------------------------------------------------------- runs

/**
 * starting: its process is there, no step yet. training, stopping: its process is there; `stopping` once this server sent the signal.
 * stopped: ended by a signal, with a checkpoint; a process that was killed and saved nothing at its end is `stopped` with an `error`.
 * done: to its end. failed: `error` says with what.
 * unreadable: the folder cannot be read; `error` says why, all else is null.
 */
export type RunState = 'starting' | 'training' | 'stopping' | 'stopped' | 'done' | 'failed' | 'unreadable'

export interface RunError {
  /** Of ift's errors (`IFT_…`), or a `RunCode`; null where a log alone says what happened. */
  readonly code: string | null
  readonly message: string
  readonly hint: string | null
}

/** A row of `GET /api/runs`. Newest first by `started`; rows without it last. */
export interface RunRow {
  /** `[A-Za-z0-9_.-]{1,128}`; stays the same. */
  readonly id: string
  /** Name of the folder, which may hold any character. */
  readonly name: string
  /** Folder, relative to the working folder where it lies in it. */
  readonly folder: string
  readonly state: RunState
  readonly error: RunError | null
  readonly started: string | null
  /** When its newest line was written. */
  readonly updated: string | null
  /** Steps done and steps in all. */
  readonly step: number | null
  readonly totalSteps: number | null
  /** Name of the base: the last part of its folder, or its id on the hub. */
  readonly base: string | null
  readonly family: string | null
  /** `lora`, …; `none` trains all parameters. */
  readonly method: string | null
  /** The r of the method, where it has one. */
  readonly rank: number | null
  readonly data: readonly string[]
  readonly learningRate: number | null
  /** none, nf4, int8. */
  readonly quantize: string | null
  /** Newest loss of a step. */
  readonly loss: number | null
  readonly bestEval: { readonly step: number; readonly loss: number } | null
  readonly lastEval: { readonly step: number; readonly loss: number } | null
  /** Over all steps that were logged. */
  readonly tokensPerSecond: number | null
  readonly peakMemory: number | null
  /** Time trained, over all resumptions. */
  readonly seconds: number | null
  /** Seconds until the end from the last 20 steps, evaluations included; null before step 3 and when it does not train. */
  readonly secondsLeft: number | null
  /** Runs with the same value have the same validation rows: their losses can be compared. Null without validation. */
  readonly validationKey: string | null
  /** All of its folder. Null until it was counted. */
  readonly bytes: number | null
  /** Process that trains it. */
  readonly process: RunProcess | null
}

export interface RunProcess {
  readonly pid: number
  readonly host: string
  readonly since: string
  /** Whether this server may signal it: stop is refused otherwise (`run_elsewhere`). */
  readonly canStop: boolean
}

/** `GET /api/runs`. */
export interface RunsReply {
  readonly folders: readonly string[]
  readonly runs: readonly RunRow[]
  /** Folders beyond the first 1,000, which are not listed. */
  readonly more: number
}

/** `GET /api/runs/:id`. */
export interface RunReply extends RunRow {
  /** The config with every default; null where there is none to read. */
  readonly config: Readonly<Record<string, unknown>> | null
  /** As the user wrote it, where it is known: what a new run from this one starts with. */
  readonly written: Readonly<Record<string, unknown>> | null
  /** `npx ift train …` of it. */
  readonly command: string | null
  /** Null for runs of older versions. */
  readonly plan: RunPlan | null
  /** Beside the plan. `memory`: in use at the newest step. */
  readonly measured: {
    readonly peakMemory: number | null
    readonly memory: number | null
    readonly tokens: number | null
    readonly trainedTokens: number | null
  }
  readonly checkpoints: readonly RunCheckpoint[]
  /** Result on disk: folder of the adapter or model, relative as `folder`; null while there is none. */
  readonly output: string | null
  /** The name by which `/v1` answers with its newest adapter that is served: the result, else a checkpoint. Null where it does not. */
  readonly model: string | null
  /** How it ended; null while it trains, and for a killed one. */
  readonly result: RunResult | null
  /** Facts of the manifest. */
  readonly ift: string | null
  readonly node: string | null
  readonly device: string | null
  readonly mixture: readonly MixtureRow[]
  /** Licences by data set. */
  readonly licenses: Readonly<Record<string, string>>
  /** Notes of the run: what could not be written, …  */
  readonly warnings: readonly string[]
  /** The last 64 KiB of what its process wrote, where this server started it; null otherwise. */
  readonly log: string | null
  /** Whether report.html is there: `GET /api/runs/:id/report`. */
  readonly hasReport: boolean
  /** Whether it can be resumed: it does not train, is not done, and has a checkpoint. */
  readonly canResume: boolean
}

export interface RunCheckpoint {
  readonly step: number
  readonly written: string
  readonly bytes: number | null
  /** The one with the best validation loss. */
  readonly best: boolean
  /** Validation loss at its step; null where none was measured. */
  readonly loss: number | null
  /** Whether `/v1` can answer with it now, and by which name. */
  readonly model: string | null
}

export interface RunResult {
  readonly reason: 'done' | 'stopped' | 'interrupted' | 'failed'
  readonly stoppedBy: string | null
  /** Null for what a failed run did not come to say. */
  readonly steps: number | null
  readonly finalLoss: number | null
  readonly bestEval: { readonly step: number; readonly loss: number } | null
  readonly tokens: number | null
  readonly trainedTokens: number | null
  readonly seconds: number | null
  readonly ended: string | null
}

/** `GET /api/adapters`: adapters of runs on the base that is served, newest runs first, at most 200: what answers now, and what can be loaded. */
export interface AdaptersReply {
  readonly adapters: readonly AdapterRow[]
  /** Whether more can be loaded: not where the model was opened with one adapter for all requests. */
  readonly canLoad: boolean
}
export interface AdapterRow {
  /** Id and name of the run, and the step of the checkpoint. */
  readonly run: string
  readonly name: string
  readonly step: number
  readonly best: boolean
  /** Validation loss at its step. */
  readonly loss: number | null
  /** By which name `/v1` answers with it; null where it has to be loaded first. */
  readonly model: string | null
}

/**
 * `POST /api/adapters`: loads the adapter of a checkpoint, and answers with its name for `/v1`. 409 `adapters_closed`; 400 `adapter_unusable` where
 * it belongs to another model, `adapters_full`; 404.
 */
export interface LoadRequest {
  readonly run: string
  readonly step: number
}
export interface LoadReply {
  readonly model: string
}

// ---------------------------------------------------------------- metrics, events, samples

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

// ---------------------------------------------------------------- actions

/** `POST /api/runs`: 201 with the id. 400 with `param` for a config that is wrong, 409 `run_exists`. */
export interface StartRequest {
  /** As in ift.config.json. `plugins`, `output`, `ranks` and `cache` are not taken: 400. */
  readonly config: Readonly<Record<string, unknown>>
  /** Name of its folder, `[A-Za-z0-9_.-]{1,100}`; made from model, data and method when absent. */
  readonly name?: string
}
export interface StartReply {
  readonly id: string
}

/** `POST /api/runs/:id/stop`: 202. `now`: the second signal, at once and without a checkpoint. 409 `not_running`, 403 `run_elsewhere`. */
export interface StopRequest {
  readonly now?: boolean
}

/** `POST /api/runs/:id/resume` {}: 202. From the newest whole checkpoint, with the config that it was begun with. */
export type ResumeRequest = Record<string, never>

/** `DELETE /api/runs/:id`: removes the folder and says what that freed. 409 `run_is_training`. */
export interface DeleteReply {
  readonly bytes: number
}

/** `GET /api/runs/:id/difference?with=ID&with=ID`: at most 8 runs, the one of the path is the reference. */
export interface DifferenceReply {
  readonly runs: readonly string[]
  /** Options that there are in all of the runs' configs. */
  readonly options: number
  /** Those that differ, by path; `values` in the order of `runs`, null where a run has none. */
  readonly differences: readonly { readonly path: string; readonly values: readonly unknown[] }[]
  /** All others, for "Only differences" off. */
  readonly same: readonly { readonly path: string; readonly value: unknown }[]
  /** Inputs by sha256: weights, tokenizer, template, each data set. `sameName`: the names are equal and the contents are not. */
  readonly files: readonly {
    readonly what: string
    readonly names: readonly (string | null)[]
    readonly hashes: readonly (string | null)[]
    readonly sameName: boolean
  }[]
}

// ---------------------------------------------------------------- data

/** `GET /api/data`: what can be looked at: the data of the working folder's config (`config`), and those of runs. */
export interface DataListReply {
  readonly sets: readonly DataListRow[]
}
export interface DataListRow {
  /** In paths: `config`, or `run.ID`. */
  readonly name: string
  /** To be shown: names of the sets, or of the run. */
  readonly title: string
  readonly sources: readonly string[]
  /** Null until it was opened once. */
  readonly rows: number | null
}

/**
 * `GET /api/data/:name`: 200 when read, or `DataUnmapped` where the columns of a file are not known; 202 with `progress` while it is read (ask
 * again after half a second); 400 with the error's words.
 */
export interface DataReply {
  readonly name: string
  readonly title: string
  readonly template: string
  readonly tokenizer: string
  readonly maxLength: number
  readonly truncation: 'right' | 'left' | 'drop'
  /** Whether all rows are listed; of larger data the first 50,000 are, or 64 Mi characters. */
  readonly complete: boolean
  readonly sources: readonly DataSourceRow[]
  readonly totals: DataCounts
  /** Lengths before cutting, in bins of equal width from 0; `counts` by source, in the order of `sources`. */
  readonly lengths: {
    readonly width: number
    readonly counts: readonly (readonly number[])[]
    readonly median: number
    readonly p95: number
    readonly longest: number
  }
  /** What was changed or left out, most first. `reason` is a filter of rows. */
  readonly reasons: readonly {
    readonly reason: RowReason
    readonly detail: string | null
    readonly count: number
  }[]
  /** Tags of sources and rows, most rows first: at most 100. `key:value` is a filter of rows. */
  readonly tags: readonly { readonly key: string; readonly value: string; readonly count: number }[]
  /** Columns that were mapped here, and `data` of a config with them. */
  readonly mappings: readonly DataMapping[]
  readonly data: readonly unknown[]
  readonly notes: readonly string[]
}
/** The columns of a file are not known: `POST /api/data/:name/columns` says what they are. */
export interface DataUnmapped {
  readonly unmapped: DataMapping
}
/** What the columns of a file are taken for: a guess until it was sent. */
export interface DataMapping extends ColumnsRequest {
  readonly path: string
  /** Columns of the file, at most 64. */
  readonly found: readonly string[]
  /** Forms of records that there are, their fields, and those that are needed. */
  readonly forms: readonly {
    readonly format: string
    readonly fields: readonly string[]
    readonly needed: readonly string[]
  }[]
  /** Values of the first three records by column, at most 300 characters of each. */
  readonly records: readonly Readonly<Record<string, string>>[]
  /** Why the data could not be read under the mapping that was sent. */
  readonly problem: string | null
}
/** `POST /api/data/:name/columns`: 204; the data are read anew, the mapping is kept until the server ends. */
export interface ColumnsRequest {
  /** Number of the entry of `data`. */
  readonly entry: number
  readonly format: string
  /** Columns by field. */
  readonly columns: Readonly<Record<string, string>>
}
export interface DataProgress {
  readonly reading: { readonly rows: number; readonly source: string | null }
}
export interface DataCounts {
  /** Rows of the source, with those that are left out. */
  readonly rows: number
  /** That are trained on. */
  readonly kept: number
  /** After cutting, of those that are kept. */
  readonly tokens: number
  readonly trainedTokens: number
}
export interface DataSourceRow extends DataCounts {
  readonly name: string
  /** Tags of Alpaca-CoT: lang, task, gen; empty for files. */
  readonly tags: Readonly<Record<string, string>>
  readonly license: string | null
  readonly link: string | null
  /** Of the first epoch: of its examples, tokens, trained tokens. */
  readonly share: number
  readonly tokenShare: number
  readonly trainedShare: number
}

/**
 * cut: longer than maxLength. long: dropped for it. untrained: nothing to learn in it. duplicate: tokens of an earlier row. heldOut: in validation.
 * unreadable: no example could be made of the record. repeats, contaminated: by `dedup` near or `decontaminate`.
 */
export type RowReason = 'cut' | 'long' | 'untrained' | 'duplicate' | 'heldOut' | 'unreadable' | 'filtered'

/**
 * `GET /api/data/:name/rows?page=0&size=50&filter=…&source=NAME&reason=cut&tag=lang:zh&from=256&to=512`: `filter` is text in the row (no
 * expression), `from` ≤ tokens before cutting < `to`. size ≤ 200.
 */
export interface RowsReply {
  readonly total: number
  readonly page: number
  readonly size: number
  readonly rows: readonly RowSummary[]
}
export interface RowSummary {
  /** For `GET /api/data/:name/rows/:row`. */
  readonly row: number
  readonly source: string
  /** `file:line`, or `set#number`. */
  readonly where: string
  /** First 160 characters of the question, on one line. */
  readonly title: string
  /** Before cutting. */
  readonly tokens: number
  /** Of those that are kept. */
  readonly trained: number
  readonly reasons: readonly RowReason[]
  /** Whether it is trained on. */
  readonly kept: boolean
}

/** `GET /api/data/:name/rows/:row[?from=0]`: a row as the model sees it, 2,000 tokens of it at a time. */
export interface RowReply extends RowSummary {
  readonly tags: Readonly<Record<string, string>>
  /** For an unreadable one: number, found, expected. */
  readonly problem: string | null
  readonly pieces: readonly RowPiece[]
  /** Pieces in all, with those that are cut. */
  readonly count: number
  readonly from: number
  /** The record of the file as JSON, at most 64 KiB; null where there is none. */
  readonly raw: string | null
}
/** A token. */
export interface RowPiece {
  readonly id: number
  /** Characters that became whole with it; empty inside one. */
  readonly text: string
  readonly trained: boolean
  readonly special: boolean
  /** Behind maxLength: the model does not see it. */
  readonly cut: boolean
}

// ---------------------------------------------------------------- new run

/** `GET /api/schema`: the form. */
export interface SchemaReply {
  readonly sections: readonly SchemaSection[]
  /** Fields of `peft.*` by method. */
  readonly methods: readonly {
    readonly name: string
    readonly description: string
    readonly fields: readonly SchemaField[]
  }[]
  /** Config file of the working folder as it is written: a starting point; null without one. */
  readonly config: { readonly path: string; readonly written: Readonly<Record<string, unknown>> } | null
  /** Suggestions for `weights`: those of the server, of the config, of runs, and models in the working folder. */
  readonly weights: readonly {
    readonly value: string
    readonly title: string
    readonly detail: string | null
  }[]
  /** Suggestions for `data`: sets that are known, with their tags. Names of packages that are not installed have `package`. */
  readonly data: readonly {
    readonly name: string
    readonly title: string
    readonly rows: number | null
    readonly tags: Readonly<Record<string, string>>
    readonly package: string | null
  }[]
}
export interface SchemaSection {
  readonly key: 'model' | 'method' | 'data' | 'training' | 'validation' | 'samples' | 'output'
  readonly title: BothLanguages
  readonly fields: readonly SchemaField[]
}
export interface SchemaField {
  /** Dotted path in the config. */
  readonly path: string
  readonly label: BothLanguages
  readonly help: BothLanguages
  /** text: one line. list: several texts. json: an object or a mixture of types, edited as JSON. */
  readonly kind: 'text' | 'number' | 'integer' | 'switch' | 'choice' | 'list' | 'json'
  readonly choices: readonly string[]
  /** Null where there is none: absent in the config. */
  readonly default: unknown
  readonly min: number | null
  readonly max: number | null
  /** Whether min and max themselves are outside. */
  readonly above: boolean
  readonly below: boolean
  /** Shown at once; the others behind "All". */
  readonly common: boolean
  /** May be left out of the config. */
  readonly optional: boolean
}

/**
 * `POST /api/plan` {config}: 200, also for a config with faults. A newer request of the same page ends an older one (its reply is 409 `superseded`).
 * 60 s at most.
 */
export interface PlanRequest {
  readonly config: Readonly<Record<string, unknown>>
  /** Only faults and command, at once: no model is opened. */
  readonly quick?: boolean
}
export interface PlanReply {
  /** By field; empty where the config is right. */
  readonly faults: readonly Fault[]
  /** What the run would be; null with faults, with `quick`, and where `problem` is set. */
  readonly plan: NewRunPlan | null
  /** What kept the plan from being made: a model that is not there, data that cannot be read. `param` is the option, where it is known. */
  readonly problem: (RunError & { readonly param: string | null }) | null
  readonly command: CommandReply
}
export interface Fault {
  /** Dotted path; '' for the config as a whole. */
  readonly path: string
  /** `expected …, found …`. */
  readonly message: string
  /** For an option that there is not: the nearest that there is. */
  readonly nearest: string | null
}
export interface NewRunPlan {
  readonly memory: Plan
  /** Bytes free now on the device of the run; null where unknown. */
  readonly free: number | null
  readonly parameters: number
  readonly trainable: number
  readonly steps: number
  readonly sequences: number
  readonly heldOut: number
  readonly tokensPerEpoch: number | null
  readonly trainedTokens: number | null
  readonly mixture: readonly MixtureRow[]
  /** Rows longer than maxLength, and the length of the longest; null where not known. */
  readonly cut: number | null
  readonly longest: number | null
  readonly maxLength: number
  /** Layers of the model. */
  readonly layers: number | null
  /** Seconds of the run, and where the rate is from. */
  readonly time: {
    readonly seconds: number
    readonly tokensPerSecond: number
    readonly from: 'run' | 'measured'
    readonly run: string | null
  } | null
  /** Settings under which it would fit, most helpful first; empty where it fits. `changes` are laid over the config. */
  readonly remedies: readonly {
    readonly flag: string
    readonly changes: Readonly<Record<string, unknown>>
    readonly saves: number
    readonly fits: boolean
  }[]
  readonly notes: readonly string[]
}

/** `POST /api/command` {config}: also a part of the plan. */
export interface CommandReply {
  /** Lines of `npx ift train`, for a shell, to be joined with ` \` and a line break. */
  readonly lines: readonly string[]
  /** Text of an ift.config.json. */
  readonly file: string
}
