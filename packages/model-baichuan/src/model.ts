import { alibiSlopes } from '@ift/core/model'
import {
  Embedding,
  IftError,
  Linear,
  Module,
  RMSNorm,
  tensor,
  type CausalLM,
  type ForwardInput,
  type LinearLike,
  type Tensor,
} from '@ift/tensor'
import type { Step } from './attention.js'
import type { BaichuanConfig } from './config.js'
import { BaichuanDecoderLayer } from './decoder-layer.js'
import { NormHead } from './norm-head.js'

/** Embedding, layers and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
export class BaichuanModel extends Module<[ForwardInput], Tensor> {
  embed_tokens: Embedding
  readonly layers: BaichuanDecoderLayer[]
  readonly norm: RMSNorm
  readonly #config: BaichuanConfig

  constructor(config: BaichuanConfig) {
    super()
    this.embed_tokens = new Embedding(config.vocabSize, config.hidden)
    this.layers = Array.from({ length: config.layers }, (_, layer) => new BaichuanDecoderLayer(config, layer))
    this.norm = new RMSNorm(config.hidden, config.eps)
    this.#config = config
  }

  protected forward(input: ForwardInput): Tensor {
    const { ids, embeds, outputRows } = input
    if ((ids === undefined) === (embeds === undefined))
      throw new IftError('IFT_ARGUMENT', 'expected either ids or embeds, found both or neither')
    const step = this.#step(input)
    // An alias, because the first layer gives its input away.
    let x = ids === undefined ? embeds!.alias() : this.embed_tokens.call(ids)
    for (const [i, layer] of this.layers.entries()) {
      const y = layer.call(x, step, i === this.layers.length - 1 ? outputRows : undefined)
      // The scope around would hold the hidden state of every layer until the end.
      x.release()
      x = y
    }
    return this.norm.call(x)
  }

  #step({ positions, kv }: ForwardInput): Step {
    const { heads, headDim, positions: kind } = this.#config
    const { backend, size: n } = positions
    const part = (at: number) =>
      tensor(
        backend,
        Int32Array.from({ length: n }, (_, i) => 3 * i + at),
        [n],
        'i32',
      )
    const parts = [part(0), part(1), part(2)] as const
    if (kind === 'alibi')
      return { positions, kv, parts, alibiSlopes: tensor(backend, alibiSlopes(heads), [heads]) }
    const frequencies = Float32Array.from({ length: headDim / 2 }, (_, i) => 10000 ** ((-2 * i) / headDim))
    return { positions, kv, parts, invFreq: tensor(backend, frequencies, [headDim / 2]) }
  }
}

/** Baichuan and Baichuan2 under the names of their checkpoints. */
export class BaichuanForCausalLM extends Module<[ForwardInput], Tensor> implements CausalLM {
  readonly model: BaichuanModel
  lm_head: LinearLike

  constructor(config: BaichuanConfig) {
    super()
    const { hidden, vocabSize, normHead } = config
    this.model = new BaichuanModel(config)
    this.lm_head = normHead ? new NormHead(hidden, vocabSize) : new Linear(hidden, vocabSize)
  }

  /** Nothing: neither the angles nor the biases change with the length. */
  stepKey(): number {
    return 0
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
