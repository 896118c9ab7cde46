let current: unknown = null

/**
 * Runs `fn` with a value that modules read by `passState` besides their arguments. What a backward pass computes again
 * (`recompute`) sees the value that it had the first time.
 */
export function withPassState<T>(state: unknown, fn: () => T): T {
  const before = current
  current = state
  try {
    return fn()
  } finally {
    current = before
  }
}

/** The value of the innermost `withPassState`; null outside of one. */
export const passState = (): unknown => current
