import { Embedding, type ForwardInput } from '@ift/tensor'
import { DecoderStack, type StackOptions, type StackParts } from '../decoder-stack.js'
import type { DecoderLayer, DecoderStep, NormLayer } from '../decoder-step.js'

export interface DecoderModelParts<S extends DecoderStep> extends StackOptions {
  readonly layer: (index: number) => DecoderLayer<S>
  readonly norm: () => NormLayer
  /** What the layers share in a pass. */
  readonly step: (input: ForwardInput) => S
  /** Factor of the embedded rows; 1 when omitted. */
  readonly embeddingScale?: number
}

/** A decoder stack under LLaMA's names. -> [N, C], or [M, C] for the rows that are wanted. */
export class DecoderModel<S extends DecoderStep> extends DecoderStack<S> {
  embed_tokens: Embedding
  readonly layers: readonly DecoderLayer<S>[]
  readonly norm: NormLayer
  readonly #step: (input: ForwardInput) => S

  constructor(
    sizes: { readonly vocabSize: number; readonly hidden: number; readonly layers: number },
    { layer, norm, step, embeddingScale, ...options }: DecoderModelParts<S>,
  ) {
    super(options)
    this.embed_tokens = new Embedding(sizes.vocabSize, sizes.hidden, { scale: embeddingScale })
    this.layers = Array.from({ length: sizes.layers }, (_, index) => layer(index))
    this.norm = norm()
    this.#step = step
  }

  parts(): StackParts<S> {
    return { embeddings: this.embed_tokens, layers: this.layers, norm: this.norm }
  }

  protected step(input: ForwardInput): S {
    return this.#step(input)
  }
}
