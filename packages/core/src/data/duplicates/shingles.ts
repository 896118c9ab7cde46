import { mix, type Units } from './units.js'

/** A multiplier with bits spread over the word (Steele and Vigna 2021). */
const base = 0x915f77f5

/** The most hash values that are kept of a text: 1 kB. */
export const sketchSize = 256

/** Hashes of the runs of units of a text, as a set. */
export class Shingles {
  /** All of them, ascending; the first `count` count. */
  values = new Uint32Array(1024)
  count = 0

  /**
   * Reads the distinct runs of `size` units. A text of fewer units is one run, so that short texts are alike only when they are equal;
   * without a unit there is none.
   */
  read({ hashes, count: units }: Units, size: number): void {
    const runs = units === 0 ? 0 : Math.max(1, units - size + 1)
    if (this.values.length < runs) this.values = new Uint32Array(2 * runs)
    const { values } = this
    const length = Math.min(size, units)
    for (let i = 0; i < runs; i++) {
      let hash = 0
      for (let k = i; k < i + length; k++) hash = (Math.imul(hash, base) + hashes[k]!) | 0
      values[i] = mix(hash)
    }
    values.subarray(0, runs).sort()
    let distinct = Math.min(1, runs)
    for (let i = 1; i < runs; i++) if (values[i] !== values[i - 1]) values[distinct++] = values[i]!
    this.count = distinct
  }

  /** The smallest values, which stand for the set. */
  sketch(): Sketch {
    return { values: this.values.subarray(0, Math.min(this.count, sketchSize)), count: this.count }
  }
}

/** The smallest hash values of a set, ascending, and how many it has in all. */
export interface Sketch {
  readonly values: Uint32Array
  readonly count: number
}

/**
 * Jaccard similarity of two sets: exact when both sketches hold their whole set, otherwise that of the hash values up to where the
 * shorter sketch ends, of which every value of both sets is known (Beyer et al. 2007). Two empty sets have none.
 */
export function jaccard(a: Sketch, b: Sketch): number {
  const last = (sketch: Sketch) =>
    sketch.count > sketch.values.length ? sketch.values[sketch.values.length - 1]! : 0xffffffff
  const end = Math.min(last(a), last(b))
  const [x, y] = [a.values, b.values]
  let [i, j, shared, union] = [0, 0, 0, 0]
  while (i < x.length || j < y.length) {
    const left = i < x.length ? x[i]! : Infinity
    const right = j < y.length ? y[j]! : Infinity
    if (Math.min(left, right) > end) break
    union++
    if (left === right) shared++
    if (left <= right) i++
    if (right <= left) j++
  }
  return union === 0 ? 0 : shared / union
}
