import type { Backend } from '../backend.js'

/** Runs `fn` with rows of results that do not depend on each other, where the device has such a mode (`Backend.invariantRows`). */
export function withInvariantRows<T>(backend: Backend, fn: () => T): T {
  const before = backend.invariantRows
  if (before === undefined) return fn()
  backend.invariantRows = true
  try {
    return fn()
  } finally {
    backend.invariantRows = before
  }
}
