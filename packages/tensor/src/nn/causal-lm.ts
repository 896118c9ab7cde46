import type { Segments } from '../tensor/segments.js'
import type { Tensor } from '../tensor/tensor.js'
import type { Embedding } from './embedding.js'
import type { KvSource } from './kv.js'
import type { LinearLike, Module } from './module.js'
import type { PromptLayout, PromptSpan } from './prompt-layout.js'

/** One micro-batch: sequences laid end to end, N rows in all. Exactly one of ids and embeds is given. */
export interface ForwardInput {
  /** i32 [N] */
  readonly ids?: Tensor | undefined
  /** [N, C]: in place of the embedded ids, for virtual tokens. */
  readonly embeds?: Tensor | undefined
  /** i32 [N] */
  readonly positions: Tensor
  readonly segments: Segments
  readonly kv: KvSource
  /** i32 [M]: hidden states are wanted only for these rows. */
  readonly outputRows?: Tensor | undefined
  /** Largest position + 1, known to the host. */
  readonly maxPosition: number
  /** Where prompts end, for models with `promptOf`, which cannot do without it. */
  readonly prompts?: PromptLayout | undefined
}

/** A decoder: its call gives hidden states after the final norm, [N, C] or [M, C]; the loss multiplies by the head. */
export interface CausalLM extends Module<[ForwardInput], Tensor> {
  readonly lmHead: LinearLike
  readonly embeddings: Embedding
  readonly layers: readonly Module[]
  /** The part of a sequence that is read in both directions, for models that read so. */
  promptOf?(ids: ArrayLike<number>): PromptSpan
  /**
   * What a step of decoding takes from `maxPosition`: steps with equal answers do the same work on other numbers, so that a
   * device may write one down and replay it. Steps of a model without it are run every time.
   */
  stepKey?(maxPosition: number): number
}
