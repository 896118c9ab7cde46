/**
 * What `/api/*` of a server answers and is asked, as JSON, by subject in `types/`; the page takes its types from here alone. Bytes are bytes, times are seconds, moments are ISO 8601 in UTC, losses are nats
 * per trained token. What is not known is null, never absent and never 0. Errors have the body `ApiProblem`.
 *
 * Every path but `POST /api/session` needs the token: the cookie of `POST /api/session`, or `Authorization: Bearer TOKEN`. POST and DELETE
 * need a request of the page itself (Origin, where there is one) and JSON with `content-type: application/json`.
 */

// What core writes into plan.json and manifest.json is handed on as it is.
export type { MixtureRow, Plan, RunPlan } from '@ift/core'
export type * from './types/actions.js'
export type * from './types/adapters.js'
export type * from './types/data.js'
export type * from './types/machine.js'
export type * from './types/metrics.js'
export type * from './types/new-run.js'
export type * from './types/problems.js'
export type * from './types/runs.js'
export type * from './types/session.js'
