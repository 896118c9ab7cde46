import { ops, scope, tensor, type Tensor } from '@ift/tensor'

/** The highest scores of one sequence, highest first and of equal ones the first token. */
export interface Highest {
  /** f32. */
  readonly scores: Float32Array
  readonly ids: Int32Array
  /** log Σ exp(scale · score) over the vocabulary; null when no scale was given. */
  readonly logSum: number | null
}

/** Scores of the next token of some sequences: they stay on the device, and what is asked for is read. */
export class StepLogits {
  readonly #logits: Tensor
  readonly #owned: boolean

  /** logits [sequences, vocab]; `owned` if they are to be released with the scores. */
  constructor(logits: Tensor, owned: boolean) {
    this.#logits = logits
    this.#owned = owned
  }

  /** Sequences. */
  get count(): number {
    return this.#logits.shape[0]!
  }

  get vocab(): number {
    return this.#logits.shape[1]!
  }

  /** All scores, f32 [vocab] a sequence. */
  async rows(): Promise<Float32Array[]> {
    const { vocab } = this
    const all = await scope(() => ops.cast(this.#logits, 'f32').read())
    return Array.from({ length: this.count }, (_, i) => all.subarray(i * vocab, (i + 1) * vocab))
  }

  /** All scores of one sequence, f32 [vocab]. */
  row(index: number): Promise<Float32Array> {
    return scope(() => ops.cast(this.#logits.rows(index, index + 1), 'f32').read())
  }

  /** The k highest scores of these sequences, all when omitted, found on the device, 1 ≤ k ≤ min(vocab, mostTop). */
  async highest(k: number, scale: number | null = null, rows?: readonly number[]): Promise<Highest[]> {
    const count = rows?.length ?? this.count
    const [values, indices, logSum] = await scope(() => {
      const top = ops.topRows(this.#of(rows), k, scale)
      return Promise.all([top.values.read(), top.indices.readInts(), top.logSum?.read() ?? null])
    })
    return Array.from({ length: count }, (_, i) => ({
      scores: values.subarray(i * k, (i + 1) * k),
      ids: indices.subarray(i * k, (i + 1) * k),
      logSum: logSum === null ? null : logSum[i]!,
    }))
  }

  #of(rows: readonly number[] | undefined): Tensor {
    const logits = this.#logits
    if (rows === undefined || rows.length === this.count) return logits
    return ops.gatherRows(logits, tensor(logits.backend, Int32Array.from(rows), [rows.length], 'i32'))
  }

  release(): void {
    if (this.#owned) this.#logits.release()
  }
}
