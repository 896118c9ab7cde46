import type { Manifest } from './run-folder.js'

/** Checks of the inputs of a run that take longer than its first steps and must end before its first result counts. */
export interface RunGuard {
  /** Starts the check; called after the first step. */
  begin(): void
  /** Whether this rank knows. */
  readonly known: boolean
  /** Compares, once, the findings of all ranks; every rank calls it at the same step. */
  agree(): Promise<void>
  /** Waits for the result, checks that no input has changed since, and returns the manifest for a checkpoint. */
  confirm(): Promise<Manifest>
}
