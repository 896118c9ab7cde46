import type { PeftHandle } from './peft.js'

/** What rows are computed with: an adapter by its name, or the base alone. */
export type AdapterChoice = string | null

/** Sequences of a pass and the adapter of each. */
export interface SequenceAdapters {
  /** Rows of each sequence, which lie one after the other. */
  readonly lengths: readonly number[]
  /** For each sequence. */
  readonly adapters: readonly AdapterChoice[]
  /** `outputRows` of the pass: the rows that the last layer and the head go on with. */
  readonly outputRows?: ArrayLike<number> | undefined
}

/** Which row of a pass is computed with which adapter. Its tensors belong to the scope that it is made in. */
export interface AdapterRows {
  /** The adapter of all rows; undefined where they differ. */
  readonly uniform: AdapterChoice | undefined
  /** Releases the tensors of one that was made outside any scope. */
  release(): void
}

/** Several adapters over one model, as the code that runs passes sees them. */
export interface PassAdapters {
  readonly names: readonly string[]
  /** What passes are computed with that say nothing else. */
  readonly active: AdapterChoice
  /** Adapters that were loaded and removed so far: rows that were made before the last of them are of no use. */
  readonly changes: number
  /** IFT_ADAPTER_NAME for a name that is not loaded. */
  handle(name: string): PeftHandle
  /** Whether rows of it can stand beside rows of others in a pass. */
  mixes(name: string): boolean
  /** IFT_ADAPTER_MIXED, naming adapter and module, for an adapter that has to be alone in a pass. */
  rows(pass: SequenceAdapters): AdapterRows
  /** Runs passes, forward and backward, of these rows. `fn` is synchronous. */
  within<T>(rows: AdapterRows, fn: () => T): T
}
