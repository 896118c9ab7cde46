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
