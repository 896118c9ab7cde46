import type { ServeApp } from '../../routes/route.js'
import type { Serving } from '../../serving.js'
import type { DataViews } from '../data-views.js'
import type { Planner } from '../plan.js'
import type { RunParts } from '../run-actions.js'
import type { RunFollower } from '../run-events.js'

/** What the paths of the page are given. */
export interface PageParts extends RunParts {
  readonly follower: RunFollower
  readonly planner: Planner
  readonly data: DataViews
  readonly instance: string
  /** The model that /v1 answers with: null without one, and what keeps it from answering. */
  readonly model: () => { readonly serving: Serving | null; readonly failure: string | null } | null
  /** Aborted when the server ends. */
  readonly closing: AbortSignal
  readonly log: (line: string) => void
}

export type PageRoutes = (app: ServeApp, parts: PageParts) => void
