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
