import { alibiSlopes } from '@ift/core/model'
import {
  Embedding,
  IftError,
  LayerNorm,
  Linear,
  Module,
  tensor,
  TiedLinear,
  type CausalLM,
  type ForwardInput,
  type LinearLike,
  type Tensor,
} from '@ift/tensor'
import { BloomBlock } from './block.js'
import type { BloomConfig } from './config.js'

/** Normed embedding, layers and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
export class BloomModel extends Module<[ForwardInput], Tensor> {
  word_embeddings: Embedding
  readonly word_embeddings_layernorm: LayerNorm
  readonly h: BloomBlock[]
  readonly ln_f: LayerNorm
  readonly #heads: number

  constructor(config: BloomConfig) {
    super()
    this.word_embeddings = new Embedding(config.vocabSize, config.hidden)
    this.word_embeddings_layernorm = new LayerNorm(config.hidden, config.eps)
    this.h = Array.from({ length: config.layers }, (_, layer) => new BloomBlock(config, layer))
    this.ln_f = new LayerNorm(config.hidden, config.eps)
    this.#heads = config.heads
  }

  protected forward({ ids, embeds, positions, kv, outputRows }: ForwardInput): Tensor {
    if ((ids === undefined) === (embeds === undefined))
      throw new IftError('IFT_ARGUMENT', 'expected either ids or embeds, found both or neither')
    const { backend, size } = positions
    const heads = this.#heads
    const length = size * heads
    const part = (offset: number) =>
      tensor(
        backend,
        Int32Array.from({ length }, (_, i) => 3 * i + offset),
        [length],
        'i32',
      )
    const step = {
      kv,
      alibiSlopes: tensor(backend, alibiSlopes(heads), [heads]),
      parts: [part(0), part(1), part(2)] as const,
    }
    let x = this.word_embeddings_layernorm.call(ids === undefined ? embeds! : this.word_embeddings.call(ids))
    for (const [i, block] of this.h.entries()) {
      const y = block.call(x, step, i === this.h.length - 1 ? outputRows : undefined)
      // The scope around would hold the hidden state of every layer until the end.
      x.release()
      x = y
    }
    return this.ln_f.call(x)
  }
}

/** BLOOM (Le Scao et al. 2022, arXiv:2211.05100) under the names of its checkpoints. */
export class BloomForCausalLM extends Module<[ForwardInput], Tensor> implements CausalLM {
  readonly transformer: BloomModel
  lm_head: LinearLike

  constructor(config: BloomConfig) {
    super()
    this.transformer = new BloomModel(config)
    this.lm_head = config.tieWordEmbeddings
      ? new TiedLinear(this.transformer.word_embeddings)
      : new Linear(config.hidden, config.vocabSize)
  }

  /** Nothing: the biases are by distance. */
  stepKey(): number {
    return 0
  }

  get lmHead(): LinearLike {
    return this.lm_head
  }

  get embeddings(): Embedding {
    return this.transformer.word_embeddings
  }

  get layers(): readonly Module[] {
    return this.transformer.h
  }

  protected forward(input: ForwardInput): Tensor {
    return this.transformer.call(input)
  }
}
