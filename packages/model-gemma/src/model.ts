import { attentionFactor, frequencyKey, inverseFrequencies, type RopeConfig } from '@ift/core/model'
import {
  Embedding,
  IftError,
  Linear,
  Module,
  tensor,
  TiedLinear,
  type CausalLM,
  type ForwardInput,
  type LinearLike,
  type Tensor,
} from '@ift/tensor'
import type { Rotation, Step } from './attention.js'
import type { GemmaConfig } from './config.js'
import { Gemma3DecoderLayer, GemmaDecoderLayer, type GemmaLayer } from './decoder-layer.js'
import { GemmaRMSNorm } from './norm.js'

/** Embedding, layers and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
export class GemmaModel extends Module<[ForwardInput], Tensor> {
  embed_tokens: Embedding
  readonly layers: GemmaLayer[]
  readonly norm: GemmaRMSNorm
  readonly #config: GemmaConfig

  constructor(config: GemmaConfig) {
    super()
    const { hidden, third } = config
    // Looked-up rows are scaled; as the head, the same table is not.
    this.embed_tokens = new Embedding(config.vocabSize, hidden, { scale: Math.sqrt(hidden) })
    this.layers = Array.from({ length: config.layers }, (_, layer) =>
      third ? new Gemma3DecoderLayer(config, layer) : new GemmaDecoderLayer(config, layer),
    )
    this.norm = new GemmaRMSNorm(hidden, config.eps)
    this.#config = config
  }

  protected forward(input: ForwardInput): Tensor {
    const step = this.#step(input)
    let x = this.#embed(input)
    for (const [i, layer] of this.layers.entries()) {
      const y = layer.call(x, step, i === this.layers.length - 1 ? input.outputRows : undefined)
      // The scope around would hold the hidden state of every layer until the end.
      x.release()
      x = y
    }
    return this.norm.call(x)
  }

  stepKey(maxPosition: number): number {
    const { rope, localRope, local, maxPositions } = this.#config
    // Beyond the window a step is refused.
    if (local.includes(true) && maxPosition > maxPositions) return maxPosition
    return Math.max(frequencyKey(rope, maxPosition), frequencyKey(localRope, maxPosition))
  }

  #step({ positions, kv, maxPosition }: ForwardInput): Step {
    const { headDim, rope, localRope, local, maxPositions } = this.#config
    if (local.includes(true) && maxPosition > maxPositions)
      throw new IftError(
        'IFT_SEQUENCE_TOO_LONG',
        `a sequence of ${maxPosition} tokens exceeds the model's sliding window of ${maxPositions}, beyond which attention is not built`,
        `Set maxLength to ${maxPositions} or less.`,
      )
    const rotation = (by: RopeConfig): Rotation => ({
      invFreq: tensor(positions.backend, inverseFrequencies(by, headDim, maxPosition), [headDim / 2]),
      scale: attentionFactor(by),
    })
    return { positions, kv, whole: rotation(rope), local: rotation(localRope) }
  }

  #embed({ ids, embeds }: ForwardInput): Tensor {
    // An alias, because the first layer gives its input away.
    if (embeds !== undefined && ids === undefined) return embeds.alias()
    if (ids !== undefined && embeds === undefined) return this.embed_tokens.call(ids)
    throw new IftError('IFT_ARGUMENT', 'expected either ids or embeds, found both or neither')
  }
}

/**
 * Gemma (Gemma Team 2024, arXiv:2403.08295) and Gemma 3 (Gemma Team 2025, arXiv:2503.19786), text, under the names of their
 * checkpoints.
 */
export class GemmaForCausalLM extends Module<[ForwardInput], Tensor> implements CausalLM {
  readonly model: GemmaModel
  lm_head: LinearLike

  constructor(config: GemmaConfig) {
    super()
    this.model = new GemmaModel(config)
    this.lm_head = config.tieWordEmbeddings
      ? new TiedLinear(this.model.embed_tokens)
      : new Linear(config.hidden, config.vocabSize)
  }

  stepKey(maxPosition: number): number {
    return this.model.stepKey(maxPosition)
  }

  get lmHead(): LinearLike {
    return this.lm_head
  }

  get embeddings(): Embedding {
    return this.model.embed_tokens
  }

  get layers(): readonly Module[] {
    return this.model.layers
  }

  protected forward(input: ForwardInput): Tensor {
    return this.model.call(input)
  }
}
