import { permutation } from '../random.js'

/** How much of a part an epoch takes. */
export interface Amount {
  /** Rows, more than there are for several times. */
  readonly rows: number
  /** Tokens at most, but one row at least; nothing limits them when absent. */
  readonly tokens?: number | undefined
}

/** The rows of a part, as far as a choice among them depends on it. */
export interface TurnRows {
  readonly count: number
  /** Tokens of a row. */
  readonly length: (row: number) => number
  /** What the choice is keyed by besides the number of the pass. */
  readonly key: readonly (number | string)[]
}

/** Where the choice of an epoch begins: in a seeded order of the rows to choose among, of which the rows before `at` had their turn. */
interface Turn {
  readonly epoch: number
  readonly pass: number
  readonly at: number
  readonly order: Int32Array
}

/**
 * The rows of a part that an epoch takes: all of them as often as the amount allows, and of the rest a seeded choice that
 * goes on where the epoch before ended. A row has its next turn in this choice only after every other one had its own, and
 * none occurs twice in the choice of an epoch. Beside whole copies, rows longer than all that is left of the tokens have none.
 */
export class Turns {
  readonly #rows: TurnRows
  /** Times that an epoch takes every row. */
  readonly #copies: number
  /** Rows and tokens that it takes besides. */
  readonly #rest: number
  readonly #budget: number
  /** Rows that the choice is among; all of them when null. */
  readonly #pool: Int32Array | null
  #next: Turn | null = null
  #chosen: { readonly epoch: number; readonly rows: Int32Array } | null = null

  constructor(rows: TurnRows, { rows: wanted, tokens = Infinity }: Amount) {
    this.#rows = rows
    const { count, length } = rows
    const copies = count === 0 ? 0 : Math.floor(wanted / count)
    if (tokens === Infinity) {
      this.#copies = copies
      this.#rest = count === 0 ? 0 : wanted % count
      this.#budget = Infinity
      this.#pool = null
      return
    }
    let all = 0
    for (let row = 0; row < count; row++) all += length(row)
    this.#copies = Math.min(copies, Math.floor(tokens / Math.max(1, all)))
    this.#budget = tokens - this.#copies * all
    // Beside whole copies a row that never fits would keep every other one from its turn; alone, an epoch has one row at least.
    const pool = Int32Array.from({ length: count }, (_, row) => row).filter(
      (row) => this.#copies === 0 || length(row) <= this.#budget,
    )
    this.#pool = pool.length < count ? pool : null
    this.#rest = Math.min(pool.length, wanted - this.#copies * count)
  }

  /** Whether an epoch takes every row, and each as often. */
  get whole(): boolean {
    return this.#rest === 0
  }

  /** Whether every epoch takes as many rows. */
  get steady(): boolean {
    return this.whole || this.#budget === Infinity
  }

  /** Number of rows of an epoch. */
  size(epoch: number): number {
    const rest = this.#budget === Infinity ? this.#rest : this.#choice(epoch).length
    return this.#copies * this.#rows.count + rest
  }

  /** Rows of an epoch: copies of all, then the choice, each in the order of the data. */
  take(epoch: number): Int32Array {
    const { count } = this.#rows
    const chosen = this.#choice(epoch)
    const whole = this.#copies * count
    const taken = new Int32Array(whole + chosen.length)
    for (let i = 0; i < whole; i++) taken[i] = i % count
    taken.set(chosen, whole)
    return taken
  }

  #choice(epoch: number): Int32Array {
    if (this.#rest === 0) return new Int32Array(0)
    if (this.#chosen?.epoch === epoch) return this.#chosen.rows
    // A later choice depends on those before it. It is found in the time that the epochs between take to read their rows.
    if (this.#next === null || this.#next.epoch > epoch)
      this.#next = { epoch: 0, pass: 0, at: 0, order: this.#pass(0) }
    let rows: Int32Array = new Int32Array(0)
    while (this.#next.epoch <= epoch) rows = this.#advance(this.#next)
    this.#chosen = { epoch, rows: rows.sort() }
    return rows
  }

  /** The choice of an epoch in the order of its turns; the next one begins behind it. */
  #advance({ epoch, pass, at, order }: Turn): Int32Array {
    const { length } = this.#rows
    const chosen = new Int32Array(this.#rest)
    let tokens = 0
    let n = 0
    for (; n < this.#rest; n++, at++) {
      if (at === order.length) {
        pass++
        order = this.#pass(pass, chosen.subarray(0, n))
        at = 0
      }
      if (this.#budget < Infinity) {
        tokens += length(order[at]!)
        if (tokens > this.#budget && this.#copies + n > 0) break
      }
      chosen[n] = order[at]!
    }
    this.#next = { epoch: epoch + 1, pass, at, order }
    return chosen.subarray(0, n)
  }

  /** A seeded order of the rows to choose among, in which what an epoch has taken already stands behind the rest of its choice. */
  #pass(pass: number, taken?: Int32Array): Int32Array {
    const { count, key } = this.#rows
    const pool = this.#pool
    const places = permutation(pool?.length ?? count, ...key, ...(pass === 0 ? [] : [pass]))
    const order = pool === null ? places : places.map((place) => pool[place]!)
    if (taken === undefined || taken.length === 0) return order
    const isTaken = new Uint8Array(count)
    for (const row of taken) isTaken[row] = 1
    const head = this.#rest - taken.length
    for (let i = 0, later = head; i < head; i++) {
      if (!isTaken[order[i]!]) continue
      while (isTaken[order[later]!]) later++
      const row = order[i]!
      order[i] = order[later]!
      order[later++] = row
    }
    return order
  }
}
