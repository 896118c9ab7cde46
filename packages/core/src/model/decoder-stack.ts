import { IftError, Module, residualOf, type Embedding, type ForwardInput, type Tensor } from '@ift/tensor'
import type { DecoderLayer, DecoderStep, NormLayer } from './decoder-step.js'
import { frequencyKey, type RopeConfig } from './rope.js'

/** The longest sequence that a model computes. */
export interface SequenceLimit {
  readonly length: number
  /** What is exceeded, as the error says it: "the 1024 positions that the model has learned". */
  readonly of: string
}

/** The limit of a model whose layers see a window of the sequence; null without a window. */
export const windowLimit = (window: number | null): SequenceLimit | null =>
  window === null
    ? null
    : {
        length: window,
        of: `the model's sliding window of ${window}, beyond which attention is not supported`,
      }

/** How the length of a sequence changes the work of a step. */
export interface StackOptions {
  /** A longer sequence is refused; nothing is, when null or omitted. */
  readonly limit?: SequenceLimit | null
  /** Rotations whose frequencies may depend on the length. */
  readonly ropes?: readonly RopeConfig[]
}

/** The modules of a stack, wherever they stand. */
export interface StackParts<S extends DecoderStep> {
  readonly embeddings: Embedding
  readonly layers: readonly DecoderLayer<S>[]
  /** Behind the last layer. */
  readonly norm: NormLayer
}

/** Rows of the embedding for ids, or the rows that stand in their place. -> [N, C], which the caller may give away. */
export function embedTokens({ ids, embeds }: ForwardInput, embedding: Embedding): Tensor {
  // An alias, because the first layer gives its input away.
  if (embeds !== undefined && ids === undefined) return embeds.alias()
  if (ids !== undefined && embeds === undefined) return embedding.call(ids)
  throw new IftError('IFT_ARGUMENT', 'expected either ids or embeds, found both or neither')
}

/**
 * A decoder without its head: embedding, layers, final norm. -> [N, C], or [M, C] for the rows that are wanted. A family
 * declares the modules as fields under the names of its checkpoints, says which they are, and what its layers share.
 * A sequence beyond the limit is an `IFT_SEQUENCE_TOO_LONG`.
 */
export abstract class DecoderStack<S extends DecoderStep = DecoderStep> extends Module<
  [ForwardInput],
  Tensor
> {
  readonly #limit: SequenceLimit | null
  readonly #ropes: readonly RopeConfig[]

  constructor({ limit = null, ropes = [] }: StackOptions = {}) {
    super()
    this.#limit = limit
    this.#ropes = ropes
  }

  /** The modules as they are now: any of them may have been replaced. */
  abstract parts(): StackParts<S>

  /** What the layers share in this pass. */
  protected abstract step(input: ForwardInput): S

  /** What the first layer takes: [N, C]. */
  protected embed(input: ForwardInput): Tensor {
    return embedTokens(input, this.parts().embeddings)
  }

  /** `CausalLM.stepKey`: steps differ by the frequencies of their rotations alone; one beyond the limit is refused. */
  stepKey(maxPosition: number): number {
    if (this.#limit !== null && maxPosition > this.#limit.length) return maxPosition
    return Math.max(0, ...this.#ropes.map((rope) => frequencyKey(rope, maxPosition)))
  }

  protected forward(input: ForwardInput): Tensor {
    const { maxPosition, outputRows } = input
    const limit = this.#limit
    if (limit !== null && maxPosition > limit.length)
      throw new IftError(
        'IFT_SEQUENCE_TOO_LONG',
        `a sequence of ${maxPosition} tokens exceeds ${limit.of}`,
        `Set maxLength to ${limit.length} or less.`,
      )
    const { layers, norm } = this.parts()
    const step = this.step(input)
    const embedded = this.embed(input)
    let x = residualOf(embedded)
    embedded.release()
    for (const [i, layer] of layers.entries()) {
      const y = layer.call(x, step, i === layers.length - 1 ? outputRows : undefined)
      // The scope around would hold the hidden state of every layer until the end.
      x.release()
      x = y
    }
    return norm.call(x)
  }
}
