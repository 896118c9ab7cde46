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
import type { Step } from './attention.js'
import type { PhiConfig } from './config.js'
import { PhiDecoderLayer } from './decoder-layer.js'

/** Embedding, layers and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
export class PhiModel extends Module<[ForwardInput], Tensor> {
  embed_tokens: Embedding
  readonly layers: PhiDecoderLayer[]
  readonly norm: RMSNorm
  readonly #config: PhiConfig

  constructor(config: PhiConfig) {
    super()
    this.embed_tokens = new Embedding(config.vocabSize, config.hidden)
    this.layers = Array.from({ length: config.layers }, (_, layer) => new PhiDecoderLayer(config, layer))
    this.norm = new RMSNorm(config.hidden, config.eps)
    this.#config = config
  }

  protected forward(input: ForwardInput): Tensor {
    const { outputRows } = input
    const step = this.#step(input)
    let x = this.#embed(input)
    for (const [i, layer] of this.layers.entries()) {
      const isLast = i === this.layers.length - 1
      const own = isLast && outputRows ? { ...step, halves: halves(x, outputRows.size) } : step
      const y = layer.call(x, own, isLast ? outputRows : undefined)
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

  #step({ positions, kv, maxPosition }: ForwardInput): Step {
    const { heads, kvHeads, rotaryDims, rope, slidingWindow } = this.#config
    if (slidingWindow !== null && maxPosition > slidingWindow)
      throw new IftError(
        'IFT_SEQUENCE_TOO_LONG',
        `a sequence of ${maxPosition} tokens exceeds the model's sliding window of ${slidingWindow}, beyond which attention is not built`,
        `Set maxLength to ${slidingWindow} or less.`,
      )
    const { size: n } = positions
    const width = heads + 2 * kvHeads
    const part = (count: number, start: number) =>
      indices(positions, n * count, (i) => Math.floor(i / count) * width + start + (i % count))
    const frequencies = inverseFrequencies(rope, rotaryDims, maxPosition)
    return {
      positions,
      kv,
      invFreq: tensor(positions.backend, frequencies, [rotaryDims / 2]),
      ropeScale: attentionFactor(rope),
      parts: [part(heads, 0), part(kvHeads, heads), part(kvHeads, heads + kvHeads)],
      halves: halves(positions, n),
    }
  }

  #embed({ ids, embeds }: ForwardInput): Tensor {
    // An alias, because the first layer gives its input away.
    if (embeds !== undefined && ids === undefined) return embeds.alias()
    if (ids !== undefined && embeds === undefined) return this.embed_tokens.call(ids)
    throw new IftError('IFT_ARGUMENT', 'expected either ids or embeds, found both or neither')
  }
}

/** i32 [length] on the device of a tensor. */
const indices = ({ backend }: Tensor, length: number, at: (i: number) => number): Tensor =>
  tensor(
    backend,
    Int32Array.from({ length }, (_, i) => at(i)),
    [length],
    'i32',
  )

/** Rows of gate and of up, for n rows of both. */
const halves = (like: Tensor, n: number) =>
  [indices(like, n, (i) => 2 * i), indices(like, n, (i) => 2 * i + 1)] as const

/** Phi-3 (Abdin et al. 2024, arXiv:2404.14219) and what has its form, under the names of its checkpoints. */
export class PhiForCausalLM extends Module<[ForwardInput], Tensor> implements CausalLM {
  readonly model: PhiModel
  lm_head: LinearLike

  constructor(config: PhiConfig) {
    super()
    this.model = new PhiModel(config)
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
