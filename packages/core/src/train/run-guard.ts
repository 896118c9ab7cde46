import type { Manifest } from './run-folder.js'

/** What must be sure before anything of a run counts, and takes longer than its first steps: what it was begun with. */
export interface RunGuard {
  /** Begins to find out; called behind the first step. */
  begin(): void
  /** Whether this rank knows. */
  readonly known: boolean
  /** Makes sure, once, that all ranks found the same; every rank calls it at the same step. */
  agree(): Promise<void>
  /** Waits until it is known, makes sure that nothing has changed since, and returns what a checkpoint says of its run. */
  confirm(): Promise<Manifest>
}
