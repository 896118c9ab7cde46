/** An object that a scope can own. */
export interface Owned {
  /** `owned` by its maker or keeper, by a `scope`, or `released`. */
  state: 'owned' | 'scope' | 'released'
  release(): void
}

/** Tensors of all open scopes, innermost last: one array, so that opening a scope allocates nothing. */
const tracked: Owned[] = []
let depth = 0

/** Hands a new tensor to the innermost scope, when one is open. */
export function track(owned: Owned): void {
  if (depth === 0) return
  owned.state = 'scope'
  tracked.push(owned)
}

/** Opens a scope; the answer is what `leave` and `abandon` close. */
export function enter(): number {
  depth++
  return tracked.length
}

/** Closes a scope: releases everything made since `start` but `survivor`, or but the members of it. */
export function leave(start: number, survivor: unknown, survivors: ReadonlySet<unknown> | null): void {
  depth--
  let end = start
  for (let i = start; i < tracked.length; i++) {
    const owned = tracked[i]!
    if (owned.state !== 'scope') continue
    if (owned !== survivor && survivors?.has(owned) !== true) owned.release()
    else if (depth === 0) owned.state = 'owned'
    else tracked[end++] = owned
  }
  tracked.length = end
}

/** Closes a scope after an error. */
export const abandon = (start: number): void => leave(start, null, null)
