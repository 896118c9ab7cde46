import {
  noGrad,
  ops,
  PagedKvCache,
  promptLayout,
  scope,
  segments,
  tensor,
  type Backend,
  type CausalLM,
  type FloatDType,
  type PromptSpan,
} from '@ift/tensor'
import type { ModelShape, PeftHandle } from '../plugin/contract/index.js'

/** New tokens of one cached sequence. */
export interface Feed {
  readonly sequence: number
  readonly ids: readonly number[]
}

/** A model with a paged cache: feed tokens, get the scores of the next one. */
export class Decoder {
  readonly #cache: PagedKvCache
  /** Of each sequence what is read in both directions, for models that read so. */
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
   * Feeds every sequence its tokens in one forward pass, a prompt that is read in both directions at once; returns f32 [vocab] scores
   * after the last token of each.
   */
  async feed(feeds: readonly Feed[]): Promise<Float32Array[]> {
    const { backend, model, peft } = this
    const { vocab } = this.shape
    const logits = noGrad(() =>
      scope(() => {
        const lengths = feeds.map(({ ids }) => ids.length)
        const positions: number[] = []
        const lastRows: number[] = []
        const starts = feeds.map(({ sequence }) => this.#cache.length(sequence))
        const prompts = this.#promptsOf(feeds)
        for (const [f, { ids }] of feeds.entries()) {
          for (let i = 0; i < ids.length; i++) positions.push(starts[f]! + i)
          lastRows.push(positions.length - 1)
        }
        const ids = feeds.flatMap((feed) => feed.ids)
        const input = {
          ids: tensor(backend, ids, [ids.length], 'i32'),
          positions: tensor(backend, positions, [positions.length], 'i32'),
          segments: segments(backend, lengths),
          kv: this.#cache.step(feeds.map((feed) => [feed.sequence, feed.ids.length] as const)),
          outputRows: tensor(backend, lastRows, [lastRows.length], 'i32'),
          maxPosition: Math.max(...positions) + 1,
          ...(prompts && { prompts: promptLayout(backend, prompts, lengths, starts) }),
        }
        const hidden = model.call(peft?.prepare?.(input) ?? input)
        return ops.cast(model.lmHead.call(hidden), 'f32')
      }),
    )
    try {
      const all = await logits.read()
      return feeds.map((_, i) => all.slice(i * vocab, (i + 1) * vocab))
    } finally {
      logits.release()
    }
  }

  /** What is read in both directions, found when a sequence begins. */
  #promptsOf(feeds: readonly Feed[]): PromptSpan[] | null {
    const { model } = this
    if (!model.promptOf) return null
    return feeds.map(({ sequence, ids }) => {
      const known = this.#prompts.get(sequence)
      if (known) return known
      const prompt = model.promptOf!(ids)
      this.#prompts.set(sequence, prompt)
      return prompt
    })
  }

  release(): void {
    this.#cache.release()
  }
}
