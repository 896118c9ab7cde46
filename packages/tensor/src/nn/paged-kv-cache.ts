// Over 400 lines: pages, who holds them, and where a pass writes and reads are one state.
import { asFloat, type FloatDType } from '../dtype.js'
import type { Backend } from '../backend.js'
import { IftError } from '../errors.js'
import type { AttentionOptions } from '../ops/attention.js'
import { attentionPaged } from '../ops/attention-paged.js'
import { tensor } from '../tensor/create.js'
import { keep } from '../tensor/scope.js'
import { segments, type Segments } from '../tensor/segments.js'
import { empty, describe, type Tensor } from '../tensor/tensor.js'
import type { KeysAndValues, KvSource } from './kv.js'

export interface PagedKvCacheOptions {
  readonly layers: number
  readonly kvHeads: number
  readonly headDim: number
  readonly dtype: FloatDType
  /** Rows of a page; 16 when omitted. */
  readonly pageSize?: number
  /** Pages to start with; the pool doubles when they run out. */
  readonly pages: number
  /** Pages that the pool has at most; IFT_CACHE_FULL beyond. No limit when omitted. */
  readonly maxPages?: number
}

/** Names a sequence of one cache. */
export type SequenceId = number

interface Sequence {
  length: number
  /** Rows at its start that take no position. */
  unplaced: number
  readonly pages: number[]
}

/** Where the new rows of some sequences go and what they see: the numbers of a step, on the host. */
export interface PagedLayout {
  /** New rows of each sequence. */
  readonly rows: readonly number[]
  /** [N]: place of each new row in its sequence, rows that take no position left out. */
  readonly positions: Int32Array
  /** [N]: row of the pool for each new row. */
  readonly slots: Int32Array
  /** [sequences]: rows of each, new ones included. */
  readonly lengths: Int32Array
  /** [sequences, width]: pages of each; zeros behind the last. */
  readonly pageTable: Int32Array
  /** A power of two, so that it seldom changes. */
  readonly width: number
  /** Largest position + 1. */
  readonly maxPosition: number
}

/** New rows of some sequences, for one forward call. Its tensors belong to the scope it was made in. */
export interface PagedStep extends KvSource {
  /** The new rows, sequence after sequence. */
  readonly segments: Segments
  /** i32 [N]: place of each new row in its sequence. */
  readonly positions: Tensor
  /** Largest position + 1. */
  readonly maxPosition: number
  /** Makes it the step of another layout with as many rows of as many sequences, of the same width. */
  write(layout: PagedLayout): void
  /** Releases the tensors of a step made outside any scope. */
  release(): void
}

/**
 * Keys and values of growing sequences, in pages of a shared pool (Kwon et al. 2023, arXiv:2309.06180). Forked sequences
 * share their full pages. Per layer: k and v [pages, pageSize, kvHeads, headDim].
 */
export class PagedKvCache {
  /** Rows of a page. */
  readonly pageSize: number
  readonly #backend: Backend
  readonly #options: PagedKvCacheOptions
  readonly #keys: Tensor[] = []
  readonly #values: Tensor[] = []
  /** Sequences that hold each page. */
  #holders: number[] = []
  #free: number[] = []
  readonly #sequences = new Map<SequenceId, Sequence>()
  #nextId = 0

  constructor(backend: Backend, options: PagedKvCacheOptions) {
    this.#backend = backend
    this.#options = options
    this.pageSize = options.pageSize ?? 16
    asFloat(options.dtype, 'PagedKvCache')
    if (options.pages < 1 || this.pageSize < 1) {
      throw new IftError(
        'IFT_ARGUMENT',
        `PagedKvCache: pages and pageSize are at least 1, found ${options.pages} and ${this.pageSize}`,
      )
    }
    const { maxPages = Infinity } = options
    if (options.pages > maxPages)
      throw new IftError(
        'IFT_ARGUMENT',
        `PagedKvCache: pages expected at most maxPages, ${maxPages}, found ${options.pages}`,
      )
    this.#grow(options.pages)
  }

  /** Pages in the pool and how many of them nothing holds; pages that it has at most. */
  get pages(): { readonly total: number; readonly free: number; readonly most: number } {
    const { maxPages = Infinity } = this.#options
    return { total: this.#holders.length, free: this.#free.length, most: maxPages }
  }

  /** Pages that these sequences take from the free ones when they grow by so many rows. */
  pagesFor(sequences: readonly (readonly [id: SequenceId, rows: number])[]): number {
    let needed = 0
    for (const [id, rows] of sequences) {
      const s = this.#sequence(id)
      needed += Math.ceil((s.length + rows) / this.pageSize) - s.pages.length
    }
    return needed
  }

  /** Pages of a sequence, in order; the last one may not be full. */
  pagesOf(id: SequenceId): readonly number[] {
    return this.#sequence(id).pages
  }

  /** Holds a page beside the sequences that hold it: it stays when they end. */
  holdPage(page: number): void {
    this.#holders[page]!++
  }

  /** Ends one `holdPage`. */
  letPageGo(page: number): void {
    this.#drop(page)
  }

  /** What holds a page: sequences, and `holdPage`. */
  holdersOf(page: number): number {
    return this.#holders[page] ?? 0
  }

  /** A sequence that goes on from full pages of others; `unplaced` of its rows, at the start, take no position. */
  addBehind(pages: readonly number[], unplaced = 0): SequenceId {
    for (const page of pages) this.holdPage(page)
    const length = pages.length * this.pageSize
    this.#sequences.set(this.#nextId, { length, unplaced, pages: pages.slice() })
    return this.#nextId++
  }

  /** A new, empty sequence. */
  add(): SequenceId {
    this.#sequences.set(this.#nextId, { length: 0, unplaced: 0, pages: [] })
    return this.#nextId++
  }

  /** A second sequence with the same rows so far: full pages are shared, the last partial one is copied. */
  fork(id: SequenceId): SequenceId {
    const from = this.#sequence(id)
    const pages = from.pages.slice()
    if (from.length % this.pageSize !== 0) {
      const last = pages.length - 1
      const copy = this.#take()
      try {
        this.#copyPage(copy, pages[last]!)
      } catch (error) {
        this.#drop(copy)
        throw error
      }
      pages[last] = copy
    }
    const shared = Math.floor(from.length / this.pageSize)
    for (let i = 0; i < shared; i++) this.#holders[pages[i]!]!++
    this.#sequences.set(this.#nextId, { length: from.length, unplaced: from.unplaced, pages })
    return this.#nextId++
  }

  /** Ends a sequence; pages that no other holds are free again. */
  remove(id: SequenceId): void {
    for (const page of this.#sequence(id).pages) this.#drop(page)
    this.#sequences.delete(id)
  }

  /** Rows of a sequence. */
  length(id: SequenceId): number {
    return this.#sequence(id).length
  }

  /**
   * Writes rows into a sequence without attending: keys and values that a method has learned, [n, kvHeads, headDim] for each layer. Where
   * they take no positions, the next row stands where it would without them; only the start of a sequence can be so.
   */
  append(
    id: SequenceId,
    layers: readonly KeysAndValues[],
    { positions = true }: { /** Yes when omitted. */ readonly positions?: boolean } = {},
  ): void {
    const { layers: expected } = this.#options
    const sequence = this.#sequence(id)
    const n = layers[0]?.k.dim(0) ?? 0
    if (layers.length !== expected || n === 0) {
      throw new IftError(
        'IFT_SHAPE',
        `PagedKvCache.append: expected rows of ${expected} layers, found ${layers.length}`,
      )
    }
    if (!positions && sequence.length > 0)
      throw new IftError(
        'IFT_ARGUMENT',
        `PagedKvCache.append: rows without positions expected an empty sequence, found ${sequence.length} rows`,
      )
    const slots = tensor(this.#backend, this.#extend([[id, n]]), [n], 'i32')
    if (!positions) sequence.unplaced = n
    try {
      for (const [layer, { k, v }] of layers.entries()) this.#write(layer, k, v, slots)
    } finally {
      slots.release()
    }
  }

  /** Makes room for new rows of some sequences, in this order, and says where they are. */
  layout(sequences: readonly (readonly [id: SequenceId, rows: number])[]): PagedLayout {
    const starts = sequences.map(([id]) => this.length(id) - this.#sequence(id).unplaced)
    const slots = this.#extend(sequences)
    const now = sequences.map(([id]) => this.#sequence(id))
    const most = now.reduce((most, s) => Math.max(most, s.pages.length), 1)
    const width = 2 ** Math.ceil(Math.log2(most))
    const pageTable = new Int32Array(now.length * width)
    for (const [i, s] of now.entries()) pageTable.set(s.pages, i * width)
    const positions = new Int32Array(slots.length)
    let at = 0
    for (const [i, [, rows]] of sequences.entries()) {
      for (let r = 0; r < rows; r++) positions[at++] = starts[i]! + r
    }
    return {
      rows: sequences.map(([, rows]) => rows),
      positions,
      slots,
      lengths: Int32Array.from(now, (s) => s.length),
      pageTable,
      width,
      maxPosition: now.reduce((most, s) => Math.max(most, s.length - s.unplaced), 0),
    }
  }

  /**
   * A layout with idle rows behind its own, at most `pageSize`: each is a sequence of its own, of which nobody reads anything. They lie in
   * a page that no sequence gets.
   */
  withIdle(layout: PagedLayout, idle: number): PagedLayout {
    if (idle > this.pageSize)
      throw new IftError(
        'IFT_ARGUMENT',
        `PagedKvCache: idle rows expected at most ${this.pageSize}, found ${idle}`,
      )
    const { rows, positions, slots, lengths, pageTable, width } = layout
    const page = this.#holders.length
    const behind = (own: Int32Array, each: number, of: (i: number) => number): Int32Array => {
      const all = new Int32Array(own.length + idle * each)
      all.set(own)
      for (let i = 0; i < idle; i++) all[own.length + i * each] = of(i)
      return all
    }
    return {
      ...layout,
      rows: [...rows, ...Array<number>(idle).fill(1)],
      positions: behind(positions, 1, () => 0),
      slots: behind(slots, 1, (i) => page * this.pageSize + i),
      lengths: behind(lengths, 1, (i) => i + 1),
      pageTable: behind(pageTable, width, () => page),
    }
  }

  /**
   * The source to pass to one forward call, which writes the keys and values of the new rows into the pages and attends over
   * the whole sequences.
   */
  place(layout: PagedLayout): PagedStep {
    const backend = this.#backend
    const { rows, width, maxPosition } = layout
    const n = layout.slots.length
    const slots = tensor(backend, layout.slots, [n], 'i32')
    const pageTable = tensor(backend, layout.pageTable, [rows.length, width], 'i32')
    const kvLengths = tensor(backend, layout.lengths, [rows.length], 'i32')
    const positions = tensor(backend, layout.positions, [n], 'i32')
    const q = segments(backend, rows)
    const maxK = width * this.pageSize
    return {
      segments: q,
      positions,
      maxPosition,
      attend: (layer: number, query: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor => {
        this.#write(layer, k, v, slots)
        const { causal, scale, visiblePrefix, alibiSlopes } = options
        const mask = { causal, scale, visiblePrefix, alibiSlopes }
        const pages = { q, kvLengths, maxK, pageTable }
        return attentionPaged(query, this.#keys[layer]!, this.#values[layer]!, { ...mask, ...pages })
      },
      write: (next: PagedLayout) => {
        if (next.width !== width || next.rows.some((count, i) => count !== rows[i])) {
          throw new IftError(
            'IFT_SHAPE',
            `PagedStep.write: expected [${rows.join(', ')}] rows of width ${width}, found [${next.rows.join(', ')}] of ${next.width}`,
          )
        }
        backend.write(slots.buf, next.slots)
        backend.write(pageTable.buf, next.pageTable)
        backend.write(kvLengths.buf, next.lengths)
        backend.write(positions.buf, next.positions)
      },
      release: () => {
        for (const t of [slots, pageTable, kvLengths, q.cu, positions]) t.release()
      },
    }
  }

  /** `place` of the `layout` of new rows. */
  step(sequences: readonly (readonly [id: SequenceId, rows: number])[]): PagedStep {
    return this.place(this.layout(sequences))
  }

  /** Releases the pool. */
  release(): void {
    for (const t of this.#keys) t.release()
    for (const t of this.#values) t.release()
    this.#keys.length = 0
    this.#values.length = 0
    this.#sequences.clear()
    this.#holders = []
    this.#free = []
  }

  #sequence(id: SequenceId): Sequence {
    const sequence = this.#sequences.get(id)
    if (sequence === undefined)
      throw new IftError('IFT_SEQUENCE_UNKNOWN', `PagedKvCache: there is no sequence ${id}`)
    return sequence
  }

  /** Grows sequences by rows and gives the pool row of each. Nothing has changed when it throws. */
  #extend(sequences: readonly (readonly [id: SequenceId, rows: number])[]): Int32Array {
    const { pageSize } = this
    let total = 0
    const seen = new Set<SequenceId>()
    for (const [id, rows] of sequences) {
      if (!(rows >= 1) || !Number.isInteger(rows) || seen.has(id)) {
        throw new IftError(
          'IFT_ARGUMENT',
          `PagedKvCache.step: expected each sequence once, with at least one row, found ${rows} for sequence ${id}`,
        )
      }
      seen.add(id)
      total += rows
    }
    this.#makeFree(this.pagesFor(sequences))
    const slots = new Int32Array(total)
    let at = 0
    for (const [id, rows] of sequences) {
      const s = this.#sequence(id)
      for (let r = 0; r < rows; r++) {
        const row = s.length++
        if (row === s.pages.length * pageSize) s.pages.push(this.#take())
        slots[at++] = s.pages[Math.floor(row / pageSize)]! * pageSize + (row % pageSize)
      }
    }
    return slots
  }

  /** A page for one holder. */
  #take(): number {
    this.#makeFree(1)
    const page = this.#free.pop()!
    this.#holders[page] = 1
    return page
  }

  #drop(page: number): void {
    if (--this.#holders[page]! === 0) this.#free.push(page)
  }

  /** Sees to it that so many pages are free. */
  #makeFree(needed: number): void {
    const [free, total] = [this.#free.length, this.#holders.length]
    if (needed <= free) return
    const { maxPages = Infinity } = this.#options
    const least = total + needed - free
    if (least > maxPages)
      throw new IftError(
        'IFT_CACHE_FULL',
        `The cache of keys and values has ${maxPages} pages of ${this.pageSize} tokens at most, and ${least} are needed.`,
        'Allow it more pages, or generate for fewer or shorter prompts at a time.',
      )
    this.#grow(Math.min(maxPages, Math.max(total * 2, least)))
  }

  /** Makes the pool `total` pages large, and one for idle rows, and copies what there is. */
  #grow(total: number): void {
    const backend = this.#backend
    const { layers, kvHeads, headDim, dtype } = this.#options
    const old = this.#holders.length
    const shape = [total + 1, this.pageSize, kvHeads, headDim]
    const oldSize = old * this.pageSize * kvHeads * headDim
    for (const pool of [this.#keys, this.#values]) {
      for (let layer = 0; layer < layers; layer++) {
        const larger = keep(empty(backend, shape, dtype))
        const smaller = pool[layer]
        if (smaller !== undefined) {
          backend.copy2d(larger.buf, 0, oldSize, smaller.buf, 0, oldSize, 1, oldSize, dtype, 0)
          smaller.release()
        }
        pool[layer] = larger
      }
    }
    for (let page = total - 1; page >= old; page--) this.#free.push(page)
    for (let page = old; page < total; page++) this.#holders.push(0)
  }

  #copyPage(to: number, from: number): void {
    const { kvHeads, headDim, dtype } = this.#options
    const size = this.pageSize * kvHeads * headDim
    for (const pool of [this.#keys, this.#values]) {
      for (const { buf } of pool) {
        // One buffer is source and destination; the pages do not overlap, but a kernel may only promise that for buffers.
        const page = empty(this.#backend, [size], dtype)
        try {
          this.#backend.copy2d(page.buf, 0, size, buf, from * size, size, 1, size, dtype, 0)
          this.#backend.copy2d(buf, to * size, size, page.buf, 0, size, 1, size, dtype, 0)
        } finally {
          page.release()
        }
      }
    }
  }

  #write(layer: number, k: Tensor, v: Tensor, slots: Tensor): void {
    const { layers, kvHeads, headDim, dtype } = this.#options
    if (!(layer >= 0 && layer < layers)) {
      throw new IftError('IFT_ARGUMENT', `PagedKvCache: layer expected below ${layers}, found ${layer}`)
    }
    const rows = slots.size
    const cols = kvHeads * headDim
    for (const t of [k, v]) {
      if (t.size !== rows * cols || t.dtype !== dtype) {
        throw new IftError(
          'IFT_SHAPE',
          `PagedKvCache: keys and values expected ${dtype} [${rows}, ${kvHeads}, ${headDim}], found ${describe(t)}`,
        )
      }
    }
    const poolRows = (this.#holders.length + 1) * this.pageSize
    this.#backend.scatterRows(this.#keys[layer]!.buf, k.buf, slots.buf, rows, cols, poolRows, dtype, dtype, 0)
    this.#backend.scatterRows(
      this.#values[layer]!.buf,
      v.buf,
      slots.buf,
      rows,
      cols,
      poolRows,
      dtype,
      dtype,
      0,
    )
  }
}
