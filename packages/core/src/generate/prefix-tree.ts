import type { PagedKvCache } from '@ift/tensor'

/** A full page, by what stands in it and in all pages before it. */
interface Node {
  readonly key: string
  /** Where it is found by its key: in the children of its parent. */
  readonly level: Map<string, Node>
  readonly parent: Node | null
  readonly page: number
  readonly children: Map<string, Node>
  /** When it was last taken or kept. */
  used: number
}

/** Rows of a sequence that are no tokens of it, at its start. */
export interface RowsAhead {
  readonly rows: number
  /** Whether they take positions. */
  readonly placed: boolean
}

/**
 * Full pages of sequences that have ended, kept for sequences that begin in the same way. Pages are found by their tokens, page after
 * page, so that only equal ones are taken for equal. `owner` tells apart rows that the same tokens do not make equal, those of
 * different adapters, and who must not find what others have left.
 */
export class PrefixTree {
  readonly #cache: PagedKvCache
  readonly #roots = new Map<string, Map<string, Node>>()
  #time = 0

  constructor(cache: PagedKvCache) {
    this.#cache = cache
  }

  /** Pages that are kept, and that no sequence holds. */
  get pages(): number {
    let count = 0
    for (const { page } of this.#all()) if (this.#cache.holdersOf(page) === 1) count++
    return count
  }

  /** Tokens of each full page of a sequence; rows ahead of them leave a page with fewer, or none. */
  #keysOf(ids: ArrayLike<number>, ahead: number): string[] {
    const { pageSize } = this.#cache
    const keys: string[] = []
    for (let end = pageSize; end <= ahead + ids.length; end += pageSize) {
      const of: number[] = []
      for (let row = Math.max(ahead, end - pageSize); row < end; row++) of.push(ids[row - ahead]!)
      keys.push(of.join(' '))
    }
    return keys
  }

  /**
   * A sequence that has the longest known beginning of `ids` already, but for the last of them; null where nothing is known. `tokens` is
   * the number of ids that it has.
   */
  begin(
    owner: string,
    ids: ArrayLike<number>,
    ahead: RowsAhead,
  ): { readonly sequence: number; readonly tokens: number } | null {
    const { pageSize } = this.#cache
    const pages: number[] = []
    let level = this.#roots.get(owner)
    for (const key of this.#keysOf(ids, ahead.rows)) {
      const node = level?.get(key)
      if (!node || (pages.length + 1) * pageSize >= ahead.rows + ids.length) break
      node.used = ++this.#time
      pages.push(node.page)
      level = node.children
    }
    const tokens = pages.length * pageSize - ahead.rows
    if (tokens <= 0) return null
    return { sequence: this.#cache.addBehind(pages, ahead.placed ? 0 : ahead.rows), tokens }
  }

  /** Keeps the full pages of a sequence, which holds `ids` behind the rows ahead. */
  keep(owner: string, sequence: number, ids: ArrayLike<number>, ahead: RowsAhead): void {
    const pages = this.#cache.pagesOf(sequence)
    let level = this.#roots.get(owner)
    if (!level) this.#roots.set(owner, (level = new Map<string, Node>()))
    let parent: Node | null = null
    for (const [i, key] of this.#keysOf(ids, ahead.rows).entries()) {
      const page = pages[i]
      if (page === undefined) break
      let node: Node | undefined = level.get(key)
      if (!node) {
        this.#cache.holdPage(page)
        node = { key, level, parent, page, children: new Map(), used: 0 }
        level.set(key, node)
      }
      node.used = ++this.#time
      parent = node
      level = node.children
    }
  }

  /** Lets kept pages go until so many more are free, those first that were not used for longest; false when that is too few. */
  free(count: number): boolean {
    // Of a page that a sequence holds too nothing would be won, and a page goes after those behind it.
    const canGo = ({ children, page }: Node) => children.size === 0 && this.#cache.holdersOf(page) === 1
    const leaves = [...this.#all()].filter(canGo).sort((a, b) => b.used - a.used)
    let left = count
    for (let node = leaves.pop(); node && left > 0; node = leaves.pop(), left--) {
      const { level, parent } = node
      level.delete(node.key)
      this.#cache.letPageGo(node.page)
      if (!parent || !canGo(parent)) continue
      const place = leaves.findLastIndex(({ used }) => used > parent.used)
      leaves.splice(place + 1, 0, parent)
    }
    return left <= 0
  }

  /** Lets all pages go, but for those of owners that are to be kept. */
  clear(isKept: (owner: string) => boolean = () => false): void {
    for (const [owner, level] of this.#roots) {
      if (isKept(owner)) continue
      for (const { page } of below(level)) this.#cache.letPageGo(page)
      this.#roots.delete(owner)
    }
  }

  *#all(): Generator<Node> {
    for (const level of this.#roots.values()) yield* below(level)
  }
}

function* below(level: ReadonlyMap<string, Node>): Generator<Node> {
  for (const node of level.values()) {
    yield node
    yield* below(node.children)
  }
}
