import {
  embedBehind,
  forwardInput,
  IftError,
  keysAhead,
  noGrad,
  ops,
  PagedKvCache,
  scope,
  tensor,
  type Backend,
  type CausalLM,
  type FloatDType,
  type ForwardInput,
  type PagedLayout,
  type PromptSpan,
  type Tensor,
  type VirtualRows,
} from '@ift/tensor'
import type {
  AdapterChoice,
  AdapterRows,
  ModelShape,
  PassAdapters,
  PeftHandle,
  PeftPrefix,
  SequenceAdapters,
} from '../contract/index.js'
import { passesOf } from './adapter-passes.js'
import { RecordedSteps } from './recorded-steps.js'
import { StepLogits } from './step-logits.js'

/** New tokens of one cached sequence. */
export interface Feed {
  readonly sequence: number
  readonly ids: readonly number[]
}

/** Combinations of adapters in a step that are kept: they change as sequences end and begin. */
const mostStepRows = 32

/** A sequence of an adapter's virtual tokens alone, from which its sequences go on; there as long as they are. */
interface Root {
  sequence: number | null
  sequences: number
}

/** Tokens that are fed in one pass. */
interface Pass {
  readonly feeds: readonly Feed[]
  readonly ids: Int32Array
  readonly layout: PagedLayout
  /** Rows that each sequence had before. */
  readonly starts: readonly number[]
  readonly outputRows: readonly number[]
}

/**
 * A model with a paged cache: feed tokens, get the scores of the next one. Sequences of several adapters are fed together; each keeps the
 * adapter that it began with.
 */
export class Decoder {
  readonly #cache: PagedKvCache
  readonly #recorded: RecordedSteps | null = null
  /** For each sequence, the part that is read in both directions, for models with `promptOf`. */
  readonly #prompts = new Map<number, PromptSpan>()
  readonly #choices = new Map<number, AdapterChoice>()
  readonly #roots = new Map<AdapterChoice, Root>()
  /** Rows of steps of one token a sequence, by what they are of: recorded steps go on using them. */
  readonly #stepRows = new Map<string, AdapterRows>()

  /** `peft` is the method of all sequences; with several `adapters` it is null. */
  constructor(
    readonly backend: Backend,
    readonly model: CausalLM,
    readonly peft: PeftHandle | null,
    readonly shape: ModelShape,
    dtype: FloatDType,
    readonly adapters: PassAdapters | null = null,
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

  /**
   * A sequence without tokens, of the adapter in use unless another one is named. Behind the method's virtual tokens, which are computed
   * for the first of those that are there together.
   */
  add(adapter: AdapterChoice = this.adapters?.active ?? null): number {
    const peft = this.#methodOf(adapter)
    const prefix = peft?.prefix
    const root = this.#roots.get(adapter) ?? { sequence: null, sequences: 0 }
    let added: number
    if (prefix === undefined || this.#rowsOfEach(peft) !== undefined) added = this.#cache.add()
    else {
      root.sequence ??= this.#fill(prefix, adapter)
      try {
        added = this.#cache.fork(root.sequence)
      } catch (error) {
        if (root.sequences === 0) this.#cache.remove(root.sequence)
        throw error
      }
    }
    this.#roots.set(adapter, root)
    root.sequences++
    this.#choices.set(added, adapter)
    return added
  }

  /** A sequence that shares everything fed so far. */
  fork(sequence: number): number {
    const forked = this.#cache.fork(sequence)
    const prompt = this.#prompts.get(sequence)
    if (prompt) this.#prompts.set(forked, prompt)
    const adapter = this.#choices.get(sequence)!
    this.#choices.set(forked, adapter)
    this.#roots.get(adapter)!.sequences++
    return forked
  }

  remove(sequence: number): void {
    this.#cache.remove(sequence)
    this.#prompts.delete(sequence)
    const adapter = this.#choices.get(sequence)!
    const root = this.#roots.get(adapter)!
    this.#choices.delete(sequence)
    if (--root.sequences > 0) return
    // What the method has learned until the next sequence begins is not known.
    if (root.sequence !== null) this.#cache.remove(root.sequence)
    this.#roots.delete(adapter)
  }

  #methodOf(adapter: AdapterChoice): PeftHandle | null {
    if (adapter === null) return this.adapters === null ? this.peft : null
    if (this.adapters === null)
      throw new IftError(
        'IFT_ADAPTER_NAME',
        `There is no adapter "${adapter}": the model has been opened without several.`,
        'Open it with a map of adapters: adapter: { NAME: DIR }',
      )
    return this.adapters.handle(adapter)
  }

  /** A sequence of virtual tokens alone. */
  #fill(prefix: PeftPrefix, adapter: AdapterChoice): number {
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
            const rows = { embeds: prefix.rows(), lengths: [prefix.length], step, outputRows }
            this.#within([prefix.length], [adapter], outputRows, () =>
              model.call(forwardInput(backend, rows)),
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
  #rowsOfEach(peft: PeftHandle | null): VirtualRows | undefined {
    const prefix = peft?.prefix
    return this.model.promptOf !== undefined && prefix !== undefined && 'rows' in prefix ? prefix : undefined
  }

  /** Runs what rows of these sequences go through. */
  #within<T>(
    lengths: readonly number[],
    adapters: readonly AdapterChoice[],
    outputRows: readonly number[],
    fn: () => T,
  ): T {
    const set = this.adapters
    if (set === null) return fn()
    const rows = set.rows({ lengths, adapters, outputRows })
    try {
      return set.within(rows, fn)
    } finally {
      rows.release()
    }
  }

  /**
   * Feeds every sequence its tokens, a prompt that is read in both directions at once; returns the scores after the last token of each,
   * which are valid until they are released or tokens are fed again. One forward pass does it, wherever the adapters of the sequences
   * can share one.
   */
  feed(feeds: readonly Feed[]): StepLogits {
    const choices = feeds.map(({ sequence }) => this.#choices.get(sequence) ?? null)
    const passes = passesOf(choices, this.adapters, this.model)
    if (passes.length === 1) {
      const { logits, owned } = this.#feed(feeds, choices)
      return new StepLogits(logits, owned)
    }
    const parts: Tensor[] = []
    try {
      for (const pass of passes) {
        const { logits, owned } = this.#feed(
          pass.map((i) => feeds[i]!),
          pass.map((i) => choices[i]!),
        )
        // The next recorded step writes over what a recorded one gave.
        parts.push(owned ? logits : noGrad(() => scope(() => ops.scale(logits, 1))))
      }
      return new StepLogits(this.#inOrder(parts, passes.flat()), true)
    } finally {
      for (const part of parts) part.release()
    }
  }

  /** Rows of `parts`, one under the other, of the sequences `of`, in the order of the sequences. */
  #inOrder(parts: readonly Tensor[], of: readonly number[]): Tensor {
    const order = new Int32Array(of.length)
    for (const [at, i] of of.entries()) order[i] = at
    return noGrad(() =>
      scope(() => ops.gatherRows(ops.concatRows(parts), tensor(this.backend, order, [order.length], 'i32'))),
    )
  }

  #feed(feeds: readonly Feed[], adapters: readonly AdapterChoice[]): { logits: Tensor; owned: boolean } {
    const [adapter = null] = adapters
    const isUniform = adapters.every((other) => other === adapter)
    const peft = isUniform ? this.#methodOf(adapter) : null
    const starts = feeds.map(({ sequence }) => this.#cache.length(sequence))
    const virtual = this.#rowsOfEach(peft)?.length ?? 0
    const layout = this.#cache.layout(
      feeds.map(({ sequence, ids }, i) => [sequence, ids.length + (starts[i] === 0 ? virtual : 0)] as const),
    )
    const ids = Int32Array.from(feeds.flatMap((feed) => feed.ids))
    let end = 0
    const outputRows = layout.rows.map((rows) => (end += rows) - 1)
    const run = (weights: string) => {
      const recorded = this.#recorded?.replay(ids, layout, weights) ?? null
      if (recorded !== null) return { logits: recorded, owned: false }
      return { logits: this.#run({ feeds, ids, layout, starts, outputRows }, peft), owned: true }
    }
    const set = this.adapters
    if (set === null) return run('')
    if (this.#recorded === null || layout.rows.some((rows) => rows !== 1))
      return this.#within(layout.rows, adapters, outputRows, () => run(''))
    const key = [set.changes, ...adapters.map((name) => name ?? '')].join(' ')
    return set.within(this.#rowsOfStep(key, { lengths: layout.rows, adapters, outputRows }), () => run(key))
  }

  /** Rows of a step of one token a sequence, kept for steps that are recorded. */
  #rowsOfStep(key: string, pass: SequenceAdapters): AdapterRows {
    let rows = this.#stepRows.get(key)
    if (rows) return rows
    if (this.#stepRows.size >= mostStepRows) this.#forgetSteps()
    this.#stepRows.set(key, (rows = this.adapters!.rows(pass)))
    return rows
  }

  #forgetSteps(): void {
    this.#recorded?.release()
    for (const rows of this.#stepRows.values()) rows.release()
    this.#stepRows.clear()
  }

  /** `peft` is the method of all sequences; null where they differ, and their virtual tokens are in the cache. */
  #run({ feeds, ids, layout, starts, outputRows }: Pass, peft: PeftHandle | null): Tensor {
    const { backend, model } = this
    const prefix = peft?.prefix
    const ahead = prefix !== undefined && 'keysAndValues' in prefix ? keysAhead(prefix) : undefined
    const own = this.#rowsOfEach(peft)
    return noGrad(() =>
      scope(() => {
        const step = this.#cache.place(layout)
        const prompts = this.#promptsOf(feeds, own?.length ?? 0)
        const begins = starts.map((start) => own !== undefined && start === 0)
        const sequences = feeds.map(({ ids }, i) => ({ rows: ids.length, begins: begins[i]! }))
        const input = forwardInput(backend, {
          ...(own && begins.includes(true)
            ? { embeds: embedBehind(backend, model.embeddings, own, ids, sequences) }
            : { ids }),
          ...{ lengths: layout.rows, step, outputRows },
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
    this.#forgetSteps()
    this.#cache.release()
  }
}
