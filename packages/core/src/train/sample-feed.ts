/** Samples that are made while a run trains on others. */
export interface SampleFeed {
  /** Waits for the samples of the next step, and throws what keeps them from being made. */
  next(): Promise<void>
  /** Waits for the samples that evaluations read. */
  heldOut(): Promise<void>
  /** What keeps a sample from being made that the run will need; steps whose samples are there can still be made. */
  readonly failure: { readonly error: unknown } | null
}
