import { normalise } from './normalise.js'
import { overlapDefaults, type OverlapOptions } from './options.js'
import { OverlapWindows } from './overlap-windows.js'
import { Units } from './units.js'

/** Where a text of an evaluation was found. */
export interface SharedText {
  /** Index of the text of the evaluation. */
  readonly index: number
  readonly kind: 'equal' | 'overlap'
  /** The first place, `file:line`. */
  readonly where: string
  /** What both have in common, normalised. */
  readonly text: string
}

/** Runs in more texts than this, and than 1 % of them, belong to the frame that the texts stand in. */
const leastCommon = 10
const commonShare = 0.01

/**
 * Texts of an evaluation, of which every one is to be known that training data hold. `Evaluation` says of a training text whether it is to be left
 * out, by the first question that it shares something with; this says of each text whether anything shares something with it.
 */
export class SharedTexts {
  readonly #units = new Units()
  readonly #windows: OverlapWindows
  /** Texts by the hashes of their runs: 53 of 64 bits. */
  readonly #runs = new Map<number, number[]>()
  readonly #whole = new Map<string, number[]>()
  readonly #found = new Map<number, SharedText>()
  readonly #common: number

  constructor(texts: readonly string[], options: OverlapOptions = overlapDefaults) {
    this.#windows = new OverlapWindows(options)
    this.#common = Math.max(leastCommon, commonShare * texts.length)
    for (const [index, text] of texts.entries()) {
      const normal = normalise(text)
      if (normal === '') continue
      const same = this.#whole.get(normal)
      if (same) same.push(index)
      else this.#whole.set(normal, [index])
      this.#read(normal)
      for (let i = 0; i < this.#windows.count; i++) {
        const key = this.#keyOf(i)
        const list = this.#runs.get(key)
        if (!list) this.#runs.set(key, [index])
        else if (list.at(-1) !== index) list.push(index)
      }
    }
  }

  #read(normal: string): void {
    this.#units.read(normal)
    this.#windows.read(this.#units)
  }

  #keyOf(i: number): number {
    return this.#windows.hashes[i]! * 2 ** 21 + (this.#windows.others[i]! >>> 11)
  }

  /** Looks through a text of the training data. */
  look(text: string, where: string): void {
    const normal = normalise(text)
    if (normal === '') return
    for (const index of this.#whole.get(normal) ?? [])
      if (this.#found.get(index)?.kind !== 'equal')
        this.#found.set(index, { index, kind: 'equal', where, text: normal })
    this.#read(normal)
    const { starts, ends, count } = this.#windows
    for (let i = 0; i < count; i++) {
      const texts = this.#runs.get(this.#keyOf(i))
      if (!texts || texts.length > this.#common) continue
      const shared = normal.slice(this.#units.starts[starts[i]!], this.#units.ends[ends[i]! - 1])
      for (const index of texts)
        if (!this.#found.has(index)) this.#found.set(index, { index, kind: 'overlap', where, text: shared })
    }
  }

  /** What was found so far, in the order of the texts. */
  get found(): SharedText[] {
    return [...this.#found.values()].sort((a, b) => a.index - b.index)
  }
}
