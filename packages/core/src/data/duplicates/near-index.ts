import { BandTable } from './band-table.js'
import { MinHash } from './minhash.js'
import type { NearOptions } from './options.js'
import { jaccard, Shingles, type Sketch } from './shingles.js'
import { SketchStore } from './sketch-store.js'
import type { Units } from './units.js'

/** An entry and how like it is. */
export interface NearMatch {
  readonly entry: number
  /** Jaccard similarity of the shingles. */
  readonly similarity: number
}

/**
 * Texts in which others that are nearly the same are found: candidates by MinHash and bands, each compared by its shingles. Takes about
 * 200 bytes for each text, and 4 for each of its shingles up to 256.
 */
export class NearIndex {
  readonly #shingles = new Shingles()
  readonly #minHash: MinHash
  readonly #table: BandTable
  readonly #sketches = new SketchStore()
  readonly #options: NearOptions
  #crowded = 0
  #sketch: Sketch = { values: new Uint32Array(0), count: 0 }

  constructor(options: NearOptions) {
    this.#options = options
    this.#minHash = new MinHash(options.permutations)
    this.#table = new BandTable(options.permutations, options.bands)
  }

  /** Entries so far. */
  get count(): number {
    return this.#table.count
  }

  /** How often there were so many candidates that only the last of them were compared. */
  get crowded(): number {
    return this.#crowded
  }

  /** Reads the text that `matches`, `first` and `add` are about. */
  read(units: Units): void {
    this.#shingles.read(units, this.#options.shingle)
    this.#minHash.read(this.#shingles.values, this.#shingles.count)
    this.#table.signature = this.#minHash.signature
    this.#sketch = this.#shingles.sketch()
  }

  /** Candidates that are at least as like as the threshold, in the order in which they were added. */
  *matches(): Generator<NearMatch, undefined> {
    const { entries, crowded } = this.#table.candidates()
    if (crowded) this.#crowded++
    for (const entry of entries) {
      const similarity = jaccard(this.#sketch, this.#sketches.at(entry))
      if (similarity >= this.#options.threshold) yield { entry, similarity }
    }
    return undefined
  }

  /** The first of `matches`. */
  first(): NearMatch | null {
    return this.matches().next().value ?? null
  }

  /** Adds the text; returns its number. */
  add(): number {
    this.#sketches.add(this.#sketch)
    return this.#table.add()
  }
}
