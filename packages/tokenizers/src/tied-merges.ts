import { corrupt } from './errors.js'
import type { MapModelJson } from './tokenizer-json.js'

/** Ids with their ranges of a text, [n, 2]. */
export interface Pieces {
  readonly ids: ArrayLike<number>
  readonly offsets: Int32Array
}

/** A queue of numbers, the lowest first. */
class Queue {
  readonly #heap: number[] = []

  push(value: number): void {
    const heap = this.#heap
    let at = heap.push(value) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]! <= value) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = value
  }

  pop(): number | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++
      if (heap[child]! >= last) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }
}

const places = 2 ** 31

/**
 * Byte-pair merges in which some have equal ranks: the leftmost pair of a text goes first, as SentencePiece takes pieces of
 * equal score (`BPE::Model::Encode`). The tokenizers library gives every merge a rank of its own; here it only cuts a text
 * into characters.
 */
export class TiedMerges {
  #vocabSize = 0
  /** By left · vocabSize + right: the rank, and the id of the product. */
  readonly #rules = new Map<number, { readonly rank: number; readonly id: number }>()

  /** `ties` are ranges [from, to) of `model.merges`. Throws IFT_FILE_CORRUPT naming what cannot be. */
  constructor(model: MapModelJson, ties: unknown, file: string) {
    const merges = model.merges ?? []
    const ranks = Array.from(merges, (_, i) => i)
    if (!Array.isArray(ties)) throw corrupt(file, 'model.ties', 'expected a list of ranges of the merges.')
    for (const [i, range] of (ties as unknown[]).entries()) {
      const [from, to] = Array.isArray(range) ? (range as unknown[]) : []
      if (
        !Number.isInteger(from) ||
        !Number.isInteger(to) ||
        (from as number) < 0 ||
        (to as number) > merges.length
      )
        throw corrupt(file, `model.ties[${i}]`, `expected a range of the ${merges.length} merges.`)
      ranks.fill(from as number, from as number, to as number)
    }
    for (const id of Object.values(model.vocab)) if (id >= this.#vocabSize) this.#vocabSize = id + 1
    for (const [i, pair] of merges.entries()) {
      const [left = '', right = ''] = typeof pair === 'string' ? pair.split(' ') : pair
      const [leftId, rightId, id] = [model.vocab[left], model.vocab[right], model.vocab[left + right]]
      if (leftId === undefined || rightId === undefined || id === undefined)
        throw corrupt(
          file,
          `model.merges[${i}]`,
          `${JSON.stringify([left, right])} are not two tokens that give a third.`,
        )
      const key = leftId * this.#vocabSize + rightId
      if (!this.#rules.has(key)) this.#rules.set(key, { rank: ranks[i]!, id })
    }
  }

  /** Puts together what lies between two places where `apart` says that nothing goes across. */
  merge(
    { ids: given, offsets }: Pieces,
    apart: (index: number) => boolean,
  ): { ids: Int32Array; offsets: Int32Array } {
    const count = given.length
    const ids = Int32Array.from(given)
    const next = Int32Array.from({ length: count }, (_, i) => (i + 1 < count && !apart(i + 1) ? i + 1 : -1))
    const previous = Int32Array.from({ length: count }, (_, i) => (i > 0 && !apart(i) ? i - 1 : -1))
    const last = Int32Array.from({ length: count }, (_, i) => i)
    const gone = new Uint8Array(count)
    const queue = new Queue()
    const ruleAt = (left: number) => {
      const right = next[left]!
      return right < 0 ? undefined : this.#rules.get(ids[left]! * this.#vocabSize + ids[right]!)
    }
    const offer = (left: number) => {
      const rule = ruleAt(left)
      if (rule) queue.push(rule.rank * places + left)
    }
    for (let i = 0; i < count; i++) offer(i)
    for (let first = queue.pop(); first !== undefined; first = queue.pop()) {
      const left = first % places
      if (gone[left]) continue
      const rule = ruleAt(left)
      // An offer may be out of date; the changed pair was offered again.
      if (rule?.rank !== (first - left) / places) continue
      const right = next[left]!
      ids[left] = rule.id
      last[left] = last[right]!
      gone[right] = 1
      next[left] = next[right]!
      if (next[left] >= 0) previous[next[left]] = left
      if (previous[left]! >= 0) offer(previous[left]!)
      offer(left)
    }
    const kept = Array.from({ length: count }, (_, i) => i).filter((i) => !gone[i])
    return {
      ids: Int32Array.from(kept, (i) => ids[i]!),
      offsets: Int32Array.from(kept.flatMap((i) => [offsets[2 * i]!, offsets[2 * last[i]! + 1]!])),
    }
  }
}
