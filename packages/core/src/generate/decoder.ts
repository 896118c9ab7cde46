import {
  embedBehind,
  forwardInput,
  IftError,
  keysAhead,
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
  type VirtualRows,
} from '@ift/tensor'
import type { ModelShape, PeftHandle, PeftPrefix } from '../contract/index.js'
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
  /** A sequence of the method's virtual tokens alone, from which the others go on. It is there as long as they are. */
  #root: number | null = null
  #sequences = 0

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
    // Prompts that are read in both directions differ from step to step.
    if (model.promptOf === undefined)
      this.#recorded = RecordedSteps.of(backend, model, this.#cache, (input) => this.#logits(input))
  }

  /** A sequence without tokens. Behind the method's virtual ones, which are computed for the first of those that are there together. */
  add(): number {
    const prefix = this.peft?.prefix
    let added: number
    if (prefix === undefined || this.#rowsOfEach() !== undefined) added = this.#cache.add()
    else added = this.#cache.fork((this.#root ??= this.#fill(prefix)))
    this.#sequences++
    return added
  }

  /** A sequence that shares everything fed so far. */
  fork(sequence: number): number {
    const forked = this.#cache.fork(sequence)
    const prompt = this.#prompts.get(sequence)
    if (prompt) this.#prompts.set(forked, prompt)
    this.#sequences++
    return forked
  }

  remove(sequence: number): void {
    this.#cache.remove(sequence)
    this.#prompts.delete(sequence)
    if (--this.#sequences > 0 || this.#root === null) return
    // What the method has learned until the next sequence begins is not known.
    this.#cache.remove(this.#root)
    this.#root = null
  }

  /** A sequence of virtual tokens alone. */
  #fill(prefix: PeftPrefix): number {
    const { backend, model } = this
    const cache = this.#cache
    const root = cache.add()
    try {
      noGrad(() =>
        scope(() => {
          if ('keysAndValues' in prefix)
            cache.append(root, prefix.keysAndValues(), { positions: prefix.positionsFromZero !== true })
          else {
            const step = cache.step([[root, prefix.length]])
            const outputRows = [prefix.length - 1]
            model.call(
              forwardInput(backend, { embeds: prefix.rows(), lengths: [prefix.length], step, outputRows }),
            )
          }
        }),
      )
      if (cache.length(root) !== prefix.length)
        throw new IftError(
          'IFT_SHAPE',
          `virtual keys and values expected ${prefix.length} rows, found ${cache.length(root)}`,
        )
    } catch (error) {
      cache.remove(root)
      throw error
    }
    return root
  }

  /** Virtual rows of which every sequence has a copy of its own, because they see the prompt behind them. */
  #rowsOfEach(): VirtualRows | undefined {
    const prefix = this.peft?.prefix
    return this.model.promptOf !== undefined && prefix !== undefined && 'rows' in prefix ? prefix : undefined
  }

  /**
   * Feeds every sequence its tokens in one forward pass, a prompt that is read in both directions at once; returns the scores after
   * the last token of each, which are valid until they are released or tokens are fed again.
   */
  feed(feeds: readonly Feed[]): StepLogits {
    const starts = feeds.map(({ sequence }) => this.#cache.length(sequence))
    const virtual = this.#rowsOfEach()?.length ?? 0
    const layout = this.#cache.layout(
      feeds.map(({ sequence, ids }, i) => [sequence, ids.length + (starts[i] === 0 ? virtual : 0)] as const),
    )
    const ids = Int32Array.from(feeds.flatMap((feed) => feed.ids))
    const recorded = this.#recorded?.replay(ids, layout) ?? null
    return recorded !== null
      ? new StepLogits(recorded, false)
      : new StepLogits(this.#run(feeds, ids, layout, starts), true)
  }

  #run(feeds: readonly Feed[], ids: Int32Array, layout: PagedLayout, starts: readonly number[]): Tensor {
    const { backend, model, peft } = this
    const prefix = peft?.prefix
    const ahead = prefix !== undefined && 'keysAndValues' in prefix ? keysAhead(prefix) : undefined
    const own = this.#rowsOfEach()
    return noGrad(() =>
      scope(() => {
        const step = this.#cache.place(layout)
        let end = 0
        const lastRows = layout.rows.map((rows) => (end += rows) - 1)
        const prompts = this.#promptsOf(feeds, own?.length ?? 0)
        const begins = starts.map((start) => own !== undefined && start === 0)
        const sequences = feeds.map(({ ids }, i) => ({ rows: ids.length, begins: begins[i]! }))
        const input = forwardInput(backend, {
          ...(own && begins.includes(true)
            ? { embeds: embedBehind(backend, model.embeddings, own, ids, sequences) }
            : { ids }),
          ...{ lengths: layout.rows, step, outputRows: lastRows },
          ...{ prompts, starts: starts.map((start) => start - (ahead?.keys ?? 0)), ahead },
        })
        return this.#logits(input)
      }),
    )
  }

  #logits(input: ForwardInput): Tensor {
    const { model } = this
    return model.lmHead.call(model.call(input))
  }

  /** The part that is read in both directions, found when a sequence begins; virtual rows at its start are of it. */
  #promptsOf(feeds: readonly Feed[], virtual: number): PromptSpan[] | undefined {
    const { model } = this
    if (!model.promptOf) return undefined
    return feeds.map(({ sequence, ids }) => {
      const known = this.#prompts.get(sequence)
      if (known) return known
      const { length, blank } = model.promptOf!(ids)
      const prompt = { length: length + virtual, blank: blank + virtual }
      this.#prompts.set(sequence, prompt)
      return prompt
    })
  }

  release(): void {
    this.#recorded?.release()
    this.#cache.release()
  }
}
