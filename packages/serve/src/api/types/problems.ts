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
