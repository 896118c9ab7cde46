// Over 400 lines: a sequence's adapter, its virtual tokens, what it shares and the rows of a pass are decided together, pass by pass.
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
  withInvariantRows,
  zeros,
  type Backend,
  type CausalLM,
  type FloatDType,
  type ForwardInput,
  type Head,
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
import {
  outputOf,
  readInOrder,
  wantsNext,
  type Fed,
  type Feed,
  type OutputRows,
  type RowLogProbs,
} from './feeds.js'
import { PrefixTree, type RowsAhead } from './prefix-tree.js'
import { RecordedSteps } from './recorded-steps.js'
import { StepLogits } from './step-logits.js'

/** Pages of the cache of a decoder. */
export interface DecoderPages {
  /** Tokens of a page. */
  readonly size: number
  /** That there can be at most. */
  readonly most: number
  /** That sequences hold. */
  readonly held: number
  /** That are kept of sequences that have ended, until others need them. */
  readonly kept: number
}

export interface DecoderOptions {
  /** Pages that there can be at most; no limit when omitted. */
  readonly maxPages?: number
  /** Whether what a sequence began with is kept when it ends, for others, until `forgetPrefixes`; yes when omitted. */
  readonly sharePrefixes?: boolean
  /**
   * Whether a sequence gets the same bits alone, in company and in pieces, on devices that can (`Backend.invariantRows`); yes when omitted.
   */
  readonly deterministic?: boolean
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
  readonly output: OutputRows
}

/** What one pass gives. */
interface PassResult {
  readonly logits: Tensor | null
  readonly logProbs: RowLogProbs | null
  /** Whether they are to be released. */
  readonly owned: boolean
}

const pagesAtFirst = 64

/** Logits in f32: in 16 bits, scores of 20 that are less than 0.06 apart would be equal, and the first of them the likeliest. */
const exactLogits = (hidden: Tensor, head: Head): Tensor =>
  head.call(hidden, zeros(hidden.backend, [hidden.dim(0), head.outFeatures], 'f32'))

function releaseRows({ logProbs, top }: RowLogProbs): void {
  for (const part of [logProbs, top?.values, top?.indices, top?.logSum]) part?.release()
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
  /** Whose prefixes a sequence may find and leave. */
  readonly #owners = new Map<number, string>()
  /** Numbers of what adapters compute with: one that is loaded anew under a name is another. */
  readonly #loads = new WeakMap<PeftHandle, number>()
  #nextLoad = 0
  readonly #roots = new Map<AdapterChoice, Root>()
  /** Rows of steps of one token a sequence, by what they are of: recorded steps go on using them. */
  readonly #stepRows = new Map<string, AdapterRows>()
  /** Null where nothing is kept. */
  readonly #prefixes: PrefixTree | null = null
  /** `adapters.changes` when prefixes were kept first. */
  #changes = 0
  readonly #deterministic: boolean

  /** `peft` is the method of all sequences; with several `adapters` it is null. */
  constructor(
    readonly backend: Backend,
    readonly model: CausalLM,
    readonly peft: PeftHandle | null,
    readonly shape: ModelShape,
    dtype: FloatDType,
    readonly adapters: PassAdapters | null = null,
    { maxPages = Infinity, sharePrefixes = true, deterministic = true }: DecoderOptions = {},
  ) {
    const { layers, kvHeads, headDim } = shape
    this.#deterministic = deterministic
    const pages = Math.min(pagesAtFirst, maxPages)
    this.#cache = new PagedKvCache(backend, { layers, kvHeads, headDim, dtype, pages, maxPages })
    // What is read in both directions is of one prompt.
    if (sharePrefixes && model.promptOf === undefined) this.#prefixes = new PrefixTree(this.#cache)
    // Prompts that are read in both directions differ from step to step.
    if (model.promptOf === undefined)
      this.#recorded = RecordedSteps.of(backend, model, this.#cache, (input) => this.#logits(input))
  }

  /**
   * A sequence without tokens, of the adapter in use unless another one is named. Behind the method's virtual tokens, which are computed
   * for the first of those that are there together. `salt` tells apart who may go on from what others have left.
   */
  add(adapter: AdapterChoice = this.adapters?.active ?? null, salt = ''): number {
    const peft = this.#methodOf(adapter)
    const prefix = peft?.prefix
    const root = this.#roots.get(adapter) ?? { sequence: null, sequences: 0 }
    let added: number
    if (prefix === undefined || this.#rowsOfEach(peft) !== undefined) added = this.#cache.add()
    else {
      root.sequence ??= this.#pass(() => this.#fill(prefix, adapter))
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
    this.#owners.set(added, this.#ownerOf(adapter, salt))
    return added
  }

  /**
   * `add`, for a sequence that will be fed `ids`: it goes on from what sequences of the same salt before it have left, as far as that
   * begins in the same way. `tokens` is the number of ids that it has already, less than all.
   */
  begin(
    ids: readonly number[],
    adapter: AdapterChoice = this.adapters?.active ?? null,
    salt = '',
  ): { readonly sequence: number; readonly tokens: number } {
    const owner = this.#ownerOf(adapter, salt)
    const found = this.#known()?.begin(owner, ids, this.#ahead(adapter))
    if (!found) return { sequence: this.add(adapter, salt), tokens: 0 }
    const root = this.#roots.get(adapter) ?? { sequence: null, sequences: 0 }
    this.#roots.set(adapter, root)
    root.sequences++
    this.#choices.set(found.sequence, adapter)
    this.#owners.set(found.sequence, owner)
    return found
  }

  /** `remove`, for a sequence that was fed `ids`, which is kept for sequences that begin with them. */
  end(sequence: number, ids: readonly number[]): void {
    this.share(sequence, ids)
    this.remove(sequence)
  }

  /** Keeps what a sequence that goes on was fed first, for sequences that begin with the same ids. */
  share(sequence: number, ids: readonly number[]): void {
    const adapter = this.#choices.get(sequence)!
    this.#known()?.keep(this.#owners.get(sequence)!, sequence, ids, this.#ahead(adapter))
  }

  /** Kept prefixes, without those of adapters that have gone since. */
  #known(): PrefixTree | null {
    const { changes = 0 } = this.adapters ?? {}
    if (changes !== this.#changes) this.#prefixes?.clear((owner) => this.#isCurrent(owner))
    this.#changes = changes
    return this.#prefixes
  }

  #ownerOf(adapter: AdapterChoice, salt: string): string {
    return JSON.stringify([adapter, this.#loadOf(adapter), salt])
  }

  /** Which of the adapters that had this name one after the other it is. */
  #loadOf(adapter: AdapterChoice): number {
    const handle = adapter === null ? null : this.#methodOf(adapter)
    if (handle === null) return 0
    const known = this.#loads.get(handle)
    if (known === undefined) this.#loads.set(handle, ++this.#nextLoad)
    return known ?? this.#nextLoad
  }

  #isCurrent(owner: string): boolean {
    const [adapter, load] = JSON.parse(owner) as [AdapterChoice, number]
    if (adapter === null) return true
    return this.adapters?.names.includes(adapter) === true && this.#loadOf(adapter) === load
  }

  /** Virtual tokens that sequences of an adapter have in front of their own. */
  #ahead(adapter: AdapterChoice): RowsAhead {
    const peft = this.#methodOf(adapter)
    const prefix = peft?.prefix
    if (prefix === undefined || this.#rowsOfEach(peft) !== undefined) return { rows: 0, placed: true }
    const placed = !('keysAndValues' in prefix) || prefix.positionsFromZero !== true
    return { rows: prefix.length, placed }
  }

  get pages(): DecoderPages {
    const { total, free, most } = this.#cache.pages
    const kept = this.#prefixes?.pages ?? 0
    return { size: this.#cache.pageSize, most, held: total - free, kept }
  }

  /** Pages that sequences take when they are fed so many tokens. */
  pagesFor(sequences: readonly (readonly [sequence: number, tokens: number])[]): number {
    return this.#cache.pagesFor(sequences)
  }

  /** Whether so many pages are free; kept prefixes are let go for them. */
  hasRoom(pages: number): boolean {
    const { total, free, most } = this.#cache.pages
    const missing = pages - free - (most - total)
    return missing <= 0 || this.#prefixes?.free(missing) === true
  }

  /** Lets kept prefixes go: weights may change then. */
  forgetPrefixes(): void {
    this.#prefixes?.clear()
  }

  /** A sequence that shares everything fed so far. */
  fork(sequence: number): number {
    const forked = this.#cache.fork(sequence)
    const prompt = this.#prompts.get(sequence)
    if (prompt) this.#prompts.set(forked, prompt)
    const adapter = this.#choices.get(sequence)!
    this.#choices.set(forked, adapter)
    this.#owners.set(forked, this.#owners.get(sequence)!)
    this.#roots.get(adapter)!.sequences++
    return forked
  }

  remove(sequence: number): void {
    this.#cache.remove(sequence)
    this.#prompts.delete(sequence)
    const adapter = this.#choices.get(sequence)!
    const root = this.#roots.get(adapter)!
    this.#choices.delete(sequence)
    this.#owners.delete(sequence)
    if (--root.sequences > 0) return
    // What the method has learned until the next sequence begins is not known.
    if (root.sequence !== null) this.#cache.remove(root.sequence)
    this.#roots.delete(adapter)
  }

  /** IFT_ADAPTER_NAME for a name that is not loaded. */
  checkAdapter(adapter: AdapterChoice): void {
    this.#methodOf(adapter)
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

  /** `pass`, for the scores of the next token of every sequence. */
  feed(feeds: readonly Omit<Feed, 'wanted'>[]): StepLogits {
    return this.pass(feeds).scores!
  }

  /**
   * Feeds every sequence its tokens, a prompt that is read in both directions at once. One forward pass does it, wherever the adapters of
   * the sequences can share one.
   */
  pass(feeds: readonly Feed[]): Fed {
    const choices = feeds.map(({ sequence }) => this.#choices.get(sequence) ?? null)
    const passes = passesOf(choices, this.adapters, this.model)
    const results: PassResult[] = []
    try {
      for (const pass of passes) {
        const result = this.#feed(
          pass.map((i) => feeds[i]!),
          pass.map((i) => choices[i]!),
        )
        // The next recorded step writes over what a recorded one gave.
        results.push(passes.length === 1 || result.owned ? result : { ...result, ...this.#copy(result) })
      }
      const order = passes.flat()
      const next = order.filter((i) => wantsNext(feeds[i]!))
      const logits = results.flatMap(({ logits }) => logits ?? [])
      const scores = logits.length === 0 ? null : this.#inOrder(logits, next, results[0]!.owned)
      const logProbs = results.flatMap((result) => result.logProbs ?? [])
      return {
        scores,
        logProbs: () => readInOrder(logProbs, order, feeds),
        release() {
          scores?.release()
          for (const part of logProbs) releaseRows(part)
        },
      }
    } catch (error) {
      for (const { logits, logProbs, owned } of results)
        if (owned) {
          logits?.release()
          if (logProbs) releaseRows(logProbs)
        }
      throw error
    }
  }

  #copy({ logits }: PassResult): Pick<PassResult, 'logits' | 'owned'> {
    return { logits: logits && noGrad(() => scope(() => ops.scale(logits, 1))), owned: true }
  }

  /** Rows of `parts`, one under the other, of the sequences `of`, in the order of the sequences. Takes the parts. */
  #inOrder(parts: readonly Tensor[], of: readonly number[], owned: boolean): StepLogits {
    const [first] = parts
    if (parts.length === 1) return new StepLogits(first!, owned)
    const places = [...of.keys()].sort((a, b) => of[a]! - of[b]!)
    const order = tensor(this.backend, Int32Array.from(places), [of.length], 'i32')
    try {
      return new StepLogits(
        noGrad(() => scope(() => ops.gatherRows(ops.concatRows(parts), order))),
        true,
      )
    } finally {
      for (const part of [...parts, order]) part.release()
    }
  }

  #feed(feeds: readonly Feed[], adapters: readonly AdapterChoice[]): PassResult {
    const [adapter = null] = adapters
    const isUniform = adapters.every((other) => other === adapter)
    const peft = isUniform ? this.#methodOf(adapter) : null
    const starts = feeds.map(({ sequence }) => this.#cache.length(sequence))
    const virtual = this.#rowsOfEach(peft)?.length ?? 0
    const layout = this.#cache.layout(
      feeds.map(({ sequence, ids }, i) => [sequence, ids.length + (starts[i] === 0 ? virtual : 0)] as const),
    )
    const ids = Int32Array.from(feeds.flatMap((feed) => feed.ids))
    const output = outputOf(feeds, layout)
    const pass = { feeds, ids, layout, starts, output }
    const isStep = output.scored === feeds.length && layout.rows.every((rows) => rows === 1)
    const run = (weights: string): PassResult =>
      this.#pass(() => {
        const recorded = (isStep && this.#recorded?.replay(ids, layout, weights)) || null
        if (recorded !== null) return { logits: recorded, logProbs: null, owned: false }
        return this.#run(pass, peft)
      })
    const set = this.adapters
    if (set === null) return run('')
    if (this.#recorded === null || !isStep)
      return this.#within(layout.rows, adapters, output.rows, () => run(''))
    const key = [set.changes, ...adapters.map((name) => name ?? '')].join(' ')
    const rows = this.#rowsOfStep(key, { lengths: layout.rows, adapters, outputRows: output.rows })
    return set.within(rows, () => run(key))
  }

  #pass<T>(fn: () => T): T {
    return this.#deterministic ? withInvariantRows(this.backend, fn) : fn()
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
  #run({ feeds, ids, layout, starts, output }: Pass, peft: PeftHandle | null): PassResult {
    const { backend, model } = this
    const prefix = peft?.prefix
    const ahead = prefix !== undefined && 'keysAndValues' in prefix ? keysAhead(prefix) : undefined
    const own = this.#rowsOfEach(peft)
    const { logits, logProbs } = noGrad(() =>
      scope(() => {
        const step = this.#cache.place(layout)
        const prompts = this.#promptsOf(feeds, own?.length ?? 0)
        const begins = starts.map((start) => own !== undefined && start === 0)
        const sequences = feeds.map(({ ids }, i) => ({ rows: ids.length, begins: begins[i]! }))
        const input = forwardInput(backend, {
          ...(own && begins.includes(true)
            ? { embeds: embedBehind(backend, model.embeddings, own, ids, sequences) }
            : { ids }),
          // A pass has an output, though nobody wants it.
          ...{ lengths: layout.rows, step, outputRows: output.rows.length > 0 ? output.rows : [0] },
          ...{ prompts, starts: starts.map((start) => start - (ahead?.keys ?? 0)), ahead },
        })
        const hidden = model.call(input)
        return output.rows.length > 0 ? this.#outputs(hidden, output) : {}
      }),
    )
    return { logits: logits ?? null, logProbs: logProbs ?? null, owned: true }
  }

  /** Scores and log-probabilities of hidden states. */
  #outputs(
    hidden: Tensor,
    { rows, scored, targets, top }: OutputRows,
  ): Partial<Pick<PassResult, 'logits' | 'logProbs'>> {
    const { backend, model } = this
    const lmHead: Head = model.lmHead
    const head = (from: number, to: number) => lmHead.forRows?.(from, to) ?? lmHead
    if (scored === rows.length) return { logits: exactLogits(hidden, lmHead) }
    const wanted = tensor(backend, Int32Array.from(targets), [targets.length], 'i32')
    return {
      ...(scored > 0 && { logits: exactLogits(hidden.rows(0, scored), head(0, scored)) }),
      logProbs: ops.topLogProbs(hidden.rows(scored, rows.length), head(scored, rows.length), wanted, top),
    }
  }

  #logits(input: ForwardInput): Tensor {
    const { model } = this
    return exactLogits(model.call(input), model.lmHead)
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
