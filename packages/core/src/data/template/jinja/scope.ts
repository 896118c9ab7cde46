import type { Value } from './values.js'

/** Names of one block; those of the blocks around it are seen through it, and setting one here leaves theirs alone. */
export class Scope {
  readonly #names = new Map<string, Value>()
  constructor(readonly parent: Scope | null) {}

  set(name: string, value: Value): void {
    this.#names.set(name, value)
  }

  get(name: string): Value | undefined {
    const value = this.#names.get(name)
    if (value !== undefined) return value
    for (let scope = this.parent; scope; scope = scope.parent) {
      const outer = scope.#names.get(name)
      if (outer !== undefined) return outer
    }
    return undefined
  }
}
