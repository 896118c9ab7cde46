import {
  forwardInput,
  noGrad,
  PagedKvCache,
  scope,
  type Backend,
  type CausalLM,
  type FloatDType,
  type ForwardInput,
  type PagedLayout,
  type PromptSpan,
  type Tensor,
} from '@ift/tensor'
import type { ModelShape, PeftHandle } from '../contract/index.js'
import { RecordedSteps } from './recorded-steps.js'
import { StepLogits } from './step-logits.js'

/** New tokens of one cached sequence. */
export interface Feed {
  readonly sequence: number
  readonly ids: readonly number[]
}

/** A model with a paged cache: feed tokens, get the scores of the next one. */
export class Decoder {
  readonly #cache: PagedKvCache
  readonly #recorded: RecordedSteps | null = null
  /** For each sequence, the part that is read in both directions, for models with `promptOf`. */
  readonly #prompts = new Map<number, PromptSpan>()

  constructor(
    readonly backend: Backend,
    readonly model: CausalLM,
    readonly peft: PeftHandle | null,
    readonly shape: ModelShape,
    dtype: FloatDType,
  ) {
    this.#cache = new PagedKvCache(backend, {
      layers: shape.layers,
      kvHeads: shape.kvHeads,
      headDim: shape.headDim,
      dtype,
      pages: 64,
    })
    // Rows that a method adds, and prompts that are read in both directions, differ from step to step.
    if (model.promptOf === undefined && peft?.prepare === undefined)
      this.#recorded = RecordedSteps.of(backend, model, this.#cache, (input) => this.#logits(input))
  }

  /** An empty sequence. */
  add(): number {
    return this.#cache.add()
  }

  /** A sequence that shares everything fed so far. */
  fork(sequence: number): number {
    const forked = this.#cache.fork(sequence)
    const prompt = this.#prompts.get(sequence)
    if (prompt) this.#prompts.set(forked, prompt)
    return forked
  }

  remove(sequence: number): void {
    this.#cache.remove(sequence)
    this.#prompts.delete(sequence)
  }

  /**
   * Feeds every sequence its tokens in one forward pass, a prompt that is read in both directions at once; returns the scores after
   * the last token of each, which are valid until they are released or tokens are fed again.
   */
  feed(feeds: readonly Feed[]): StepLogits {
    const starts = feeds.map(({ sequence }) => this.#cache.length(sequence))
    const layout = this.#cache.layout(feeds.map(({ sequence, ids }) => [sequence, ids.length] as const))
    const ids = Int32Array.from(feeds.flatMap((feed) => feed.ids))
    const recorded = this.#recorded?.replay(ids, layout) ?? null
    return recorded !== null
      ? new StepLogits(recorded, false)
      : new StepLogits(this.#run(feeds, ids, layout, starts), true)
  }

  #run(feeds: readonly Feed[], ids: Int32Array, layout: PagedLayout, starts: readonly number[]): Tensor {
    const { backend } = this
    return noGrad(() =>
      scope(() => {
        const step = this.#cache.place(layout)
        let end = 0
        const lastRows = layout.rows.map((rows) => (end += rows) - 1)
        const prompts = this.#promptsOf(feeds)
        const { rows: lengths } = layout
        const input = forwardInput(backend, { ids, lengths, step, outputRows: lastRows, prompts, starts })
        return this.#logits(this.peft?.prepare?.(input) ?? input)
      }),
    )
  }

  #logits(input: ForwardInput): Tensor {
    const { model } = this
    return model.lmHead.call(model.call(input))
  }

  /** The part that is read in both directions, found when a sequence begins. */
  #promptsOf(feeds: readonly Feed[]): PromptSpan[] | undefined {
    const { model } = this
    if (!model.promptOf) return undefined
    return feeds.map(({ sequence, ids }) => {
      const known = this.#prompts.get(sequence)
      if (known) return known
      const prompt = model.promptOf!(ids)
      this.#prompts.set(sequence, prompt)
      return prompt
    })
  }

  release(): void {
    this.#recorded?.release()
    this.#cache.release()
  }
}
