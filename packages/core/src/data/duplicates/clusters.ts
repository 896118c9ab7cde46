import { excerpt } from '../read/record.js'
import type { ComparedTexts } from './texts.js'

/** An example with those that repeat it. */
export interface Cluster {
  /** `file:line` of the example that is kept. */
  readonly where: string
  /** Examples that repeat it. */
  readonly repeats: number
  /** One of them: where it stands, and how it begins. */
  readonly example: { readonly where: string; readonly text: string }
}

/** Clusters that are named. */
const mostNamed = 10

/**
 * Counts examples that repeat others by the one that they repeat. An example of the largest ones is kept while they are read: a cluster
 * is among the largest when its last example arrives, or never.
 */
export class Clusters {
  readonly #sizes = new Map<number, number>()
  readonly #largest = new Map<number, Omit<Cluster, 'repeats'>>()

  get count(): number {
    return this.#sizes.size
  }

  /** Counts an example that repeats number `of`, which `placeOf` tells the place of. */
  add(of: number, where: string, { question, answer }: ComparedTexts, placeOf: () => string): void {
    const size = (this.#sizes.get(of) ?? 0) + 1
    this.#sizes.set(of, size)
    if (this.#largest.has(of)) return
    if (this.#largest.size === mostNamed) {
      const smallest = this.#ranked().at(-1)!
      if (this.#sizes.get(smallest)! >= size) return
      this.#largest.delete(smallest)
    }
    const text = excerpt([...question, answer].join(' '), 120)
    this.#largest.set(of, { where: placeOf(), example: { where, text } })
  }

  largest(): Cluster[] {
    return this.#ranked().map((of) => {
      const { where, example } = this.#largest.get(of)!
      return { where, repeats: this.#sizes.get(of)!, example }
    })
  }

  #ranked(): number[] {
    const size = (of: number) => this.#sizes.get(of)!
    return [...this.#largest.keys()].sort((a, b) => size(b) - size(a) || a - b)
  }
}
