import { attentionFactor, frequencyKey, inverseFrequencies } from '@ift/core/model'
import {
  Embedding,
  IftError,
  Linear,
  Module,
  RMSNorm,
  tensor,
  TiedLinear,
  type CausalLM,
  type ForwardInput,
  type LinearLike,
  type Tensor,
} from '@ift/tensor'
import type { LlamaConfig } from './config.js'
import { LlamaDecoderLayer } from './decoder-layer.js'

/** Embedding, layers and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
export class LlamaModel extends Module<[ForwardInput], Tensor> {
  embed_tokens: Embedding
  readonly layers: LlamaDecoderLayer[]
  readonly norm: RMSNorm
  readonly #config: LlamaConfig

  constructor(config: LlamaConfig) {
    super()
    this.embed_tokens = new Embedding(config.vocabSize, config.hidden)
    this.layers = Array.from({ length: config.layers }, (_, layer) => new LlamaDecoderLayer(config, layer))
    this.norm = new RMSNorm(config.hidden, config.eps)
    this.#config = config
  }

  protected forward(input: ForwardInput): Tensor {
    const { positions, segments, kv, maxPosition, outputRows } = input
    const { slidingWindow, rope, headDim } = this.#config
    if (slidingWindow !== null && maxPosition > slidingWindow) {
      throw new IftError(
        'IFT_SEQUENCE_TOO_LONG',
        `a sequence of ${maxPosition} tokens exceeds the model's sliding window of ${slidingWindow}, beyond which attention is not built`,
        `Set maxLength to ${slidingWindow} or less.`,
      )
    }
    const invFreq = tensor(positions.backend, inverseFrequencies(rope, headDim, maxPosition), [headDim / 2])
    const step = { positions, invFreq, ropeScale: attentionFactor(rope), segments, kv }
    let x = this.#embed(input)
    for (const [i, layer] of this.layers.entries()) {
      const rows = i === this.layers.length - 1 ? outputRows : undefined
      const y = layer.call(x, step, rows)
      // The scope around would hold the hidden state of every layer until the end.
      x.release()
      x = y
    }
    return this.norm.call(x)
  }

  stepKey(maxPosition: number): number {
    const { rope, slidingWindow } = this.#config
    // Beyond the window a step is refused.
    if (slidingWindow !== null && maxPosition > slidingWindow) return maxPosition
    return frequencyKey(rope, maxPosition)
  }

  #embed({ ids, embeds }: ForwardInput): Tensor {
    // An alias, because the first layer gives its input away.
    if (embeds !== undefined && ids === undefined) return embeds.alias()
    if (ids !== undefined && embeds === undefined) return this.embed_tokens.call(ids)
    throw new IftError('IFT_ARGUMENT', 'expected either ids or embeds, found both or neither')
  }
}

/** LLaMA (Touvron et al. 2023, arXiv:2302.13971) under the names of its checkpoints. */
export class LlamaForCausalLM extends Module<[ForwardInput], Tensor> implements CausalLM {
  readonly model: LlamaModel
  lm_head: LinearLike

  constructor(config: LlamaConfig) {
    super()
    this.model = new LlamaModel(config)
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
