import {
  forwardInput,
  IftError,
  keep,
  noGrad,
  scope,
  type Backend,
  type CausalLM,
  type ForwardInput,
  type PagedKvCache,
  type PagedLayout,
  type PagedStep,
  type Recording,
  type Tensor,
} from '@ift/tensor'

/** Steps that are kept at a time, those used last, and kinds of steps that are remembered to have come: few, as some never come again. */
const most = 16
const mostSeen = 8

/**
 * Rows that a recorded step of so many sequences has. Few numbers serve every batch, so that one that changes with each step is not
 * recorded again; rows that are too many are idle.
 */
export function recordedRows(sequences: number): number {
  if (sequences <= 2) return sequences
  const step = sequences <= 16 ? 4 : sequences <= 64 ? 8 : 16
  return Math.ceil(sequences / step) * step
}

/** A step of one new token a sequence: where its numbers go, and its logits. */
interface RecordedStep {
  readonly ids: Tensor
  readonly outputRows: Tensor
  readonly step: PagedStep
  readonly logits: Tensor
  /** The first of them, by their number. */
  readonly parts: Map<number, Tensor>
  readonly recording: Recording
}

/**
 * Steps of decoding that the device has written down. They differ in a few numbers: a step with as many sequences as one
 * before, in pages of the same width, is that one again on other numbers. Numbers of sequences are rounded up (`recordedRows`).
 */
export class RecordedSteps {
  readonly #backend: Backend
  readonly #cache: PagedKvCache
  readonly #keyOf: (maxPosition: number) => number
  readonly #logits: (input: ForwardInput) => Tensor
  readonly #steps = new Map<string, RecordedStep>()
  /** Kinds of steps that have come once. */
  readonly #seen = new Set<string>()
  /** A step could not be written down, with no others kept: it would fail again. */
  #refused = false

  private constructor(
    backend: Backend,
    cache: PagedKvCache,
    keyOf: (maxPosition: number) => number,
    logits: (input: ForwardInput) => Tensor,
  ) {
    this.#backend = backend
    this.#cache = cache
    this.#keyOf = keyOf
    this.#logits = logits
  }

  /** Null where the device writes nothing down, or the model does not say what its steps depend on. */
  static of(
    backend: Backend,
    model: CausalLM,
    cache: PagedKvCache,
    logits: (input: ForwardInput) => Tensor,
  ): RecordedSteps | null {
    if (backend.record === undefined || model.stepKey === undefined) return null
    return new RecordedSteps(backend, cache, (maxPosition) => model.stepKey!(maxPosition), logits)
  }

  /**
   * Logits [sequences, vocab] of a step with these ids, valid until the next one; null for a step to be run as it is: of several
   * tokens a sequence, or the first of its kind. `weights` says what computes it, where that changes.
   */
  replay(ids: Int32Array, layout: PagedLayout, weights = ''): Tensor | null {
    if (this.#refused || layout.rows.some((rows) => rows !== 1)) return null
    const count = layout.rows.length
    // What sets rows apart by their adapters is made for these rows alone.
    const rows = weights === '' ? recordedRows(count) : count
    const key = [rows, layout.width, this.#keyOf(layout.maxPosition), weights].join(' ')
    let found = this.#steps.get(key)
    // Worth the writing down when it comes again.
    if (found === undefined && !this.#isKnown(key)) return null
    try {
      const all = rows === count ? layout : this.#cache.withIdle(layout, rows - count)
      const allIds = new Int32Array(rows)
      allIds.set(ids)
      if (found !== undefined) {
        this.#backend.write(found.ids.buf, allIds)
        found.step.write(all)
        this.#steps.delete(key)
        this.#steps.set(key, found)
      } else {
        found = this.#record(allIds, all)
        this.#keep(key, found)
      }
      found.recording.replay()
      return this.#first(found, count)
    } catch (error) {
      if (!(error instanceof IftError) || error.code !== 'IFT_RECORDING') throw error
      // Weights or pages lie elsewhere now, or the device has no memory for a step that is written down beside the others.
      this.#refused = found === undefined && this.#steps.size === 0
      this.release()
      return null
    }
  }

  /** Whether a step of this kind has come before. */
  #isKnown(key: string): boolean {
    if (this.#seen.delete(key)) return true
    this.#seen.add(key)
    if (this.#seen.size > mostSeen) {
      const [oldest] = this.#seen
      this.#seen.delete(oldest!)
    }
    return false
  }

  #first({ logits, parts }: RecordedStep, count: number): Tensor {
    if (count === logits.shape[0]) return logits
    let part = parts.get(count)
    if (part === undefined) parts.set(count, (part = keep(noGrad(() => logits.rows(0, count)))))
    return part
  }

  #record(ids: Int32Array, layout: PagedLayout): RecordedStep {
    const backend = this.#backend
    const count = layout.rows.length
    const step = this.#cache.place(layout)
    const input = forwardInput(backend, {
      ids,
      lengths: layout.rows,
      step,
      outputRows: Int32Array.from({ length: count }, (_, i) => i),
    })
    const { ids: own, outputRows } = input as Required<ForwardInput>
    let logits: Tensor | undefined
    try {
      const recording = backend.record!(() => {
        logits = keep(noGrad(() => scope(() => this.#logits(input))))
      })
      return { ids: own, outputRows, step, logits: logits!, parts: new Map(), recording }
    } catch (error) {
      logits?.release()
      for (const t of [own, outputRows, step]) t.release()
      throw error
    }
  }

  #keep(key: string, step: RecordedStep): void {
    this.#steps.set(key, step)
    if (this.#steps.size > most) {
      const [oldest] = this.#steps.keys()
      this.#drop(oldest!)
    }
  }

  #drop(key: string): void {
    const { ids, outputRows, step, logits, parts, recording } = this.#steps.get(key)!
    recording.release()
    for (const held of [...parts.values(), logits, ids, outputRows, step]) held.release()
    this.#steps.delete(key)
  }

  release(): void {
    for (const key of [...this.#steps.keys()]) this.#drop(key)
    this.#seen.clear()
  }
}
