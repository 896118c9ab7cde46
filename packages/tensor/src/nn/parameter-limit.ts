/** Parameters that may still be made, and how to refuse one more. */
let limit: { left: number; readonly refuse: () => Error } | null = null

/**
 * Builds modules of which a file says how many there are: throws what `refuse` makes at the parameter behind the first `most`, whatever
 * loop makes it.
 */
export function limitParameters<T>(most: number, refuse: () => Error, build: () => T): T {
  const outer = limit
  limit = { left: most, refuse }
  try {
    return build()
  } finally {
    limit = outer
  }
}

/** Called for each parameter. */
export function countParameter(): void {
  if (limit !== null && limit.left-- <= 0) throw limit.refuse()
}
