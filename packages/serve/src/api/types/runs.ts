import type { MixtureRow, RunPlan } from '@ift/core'

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
