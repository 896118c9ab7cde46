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
import type { QwenConfig } from './config.js'
import { QwenDecoderLayer } from './decoder-layer.js'

/** Embedding, layers and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
export class QwenModel extends Module<[ForwardInput], Tensor> {
  embed_tokens: Embedding
  readonly layers: QwenDecoderLayer[]
  readonly norm: RMSNorm
  readonly #config: QwenConfig

  constructor(config: QwenConfig) {
    super()
    this.embed_tokens = new Embedding(config.vocabSize, config.hidden)
    this.layers = Array.from({ length: config.layers }, (_, layer) => new QwenDecoderLayer(config, layer))
    this.norm = new RMSNorm(config.hidden, config.eps)
    this.#config = config
  }

  protected forward(input: ForwardInput): Tensor {
    const { positions, kv, maxPosition, outputRows } = input
    const { rope, headDim } = this.#config
    const frequencies = inverseFrequencies(rope, headDim, maxPosition)
    const invFreq = tensor(positions.backend, frequencies, [headDim / 2])
    const step = { positions, invFreq, ropeScale: attentionFactor(rope), kv }
    let x = this.#embed(input)
    for (const [i, layer] of this.layers.entries()) {
      const y = layer.call(x, step, i === this.layers.length - 1 ? outputRows : undefined)
      // The scope around would hold the hidden state of every layer until the end.
      x.release()
      x = y
    }
    return this.norm.call(x)
  }

  stepKey(maxPosition: number): number {
    return frequencyKey(this.#config.rope, maxPosition)
  }

  #embed({ ids, embeds }: ForwardInput): Tensor {
    // An alias, because the first layer gives its input away.
    if (embeds !== undefined && ids === undefined) return embeds.alias()
    if (ids !== undefined && embeds === undefined) return this.embed_tokens.call(ids)
    throw new IftError('IFT_ARGUMENT', 'expected either ids or embeds, found both or neither')
  }
}

/** Qwen2 and Qwen3, dense, under the names of their checkpoints. */
export class QwenForCausalLM extends Module<[ForwardInput], Tensor> implements CausalLM {
  readonly model: QwenModel
  lm_head: LinearLike

  constructor(config: QwenConfig) {
    super()
    this.model = new QwenModel(config)
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
