import {
  alibiSlopes,
  DecoderStack,
  embedTokens,
  fusedRows,
  grouped,
  languageHead,
  stepOf,
  TransformerForCausalLM,
} from '@ift/core/model'
import { Embedding, LayerNorm, tensor, type ForwardInput, type Tensor } from '@ift/tensor'
import type { BloomStep } from './attention.js'
import { BloomBlock } from './block.js'
import type { BloomConfig } from './config.js'

/** Normed embedding, layers and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
class BloomModel extends DecoderStack<BloomStep> {
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

  parts() {
    return { embeddings: this.word_embeddings, layers: this.h, norm: this.ln_f }
  }

  protected override embed(input: ForwardInput): Tensor {
    return this.word_embeddings_layernorm.call(embedTokens(input, this.word_embeddings))
  }

  protected step(input: ForwardInput): BloomStep {
    const heads = this.#heads
    return {
      ...stepOf(input),
      alibiSlopes: tensor(input.positions.backend, alibiSlopes(heads), [heads]),
      qkv: fusedRows(input, grouped(heads, heads)),
    }
  }
}

/** BLOOM (Le Scao et al. 2022, arXiv:2211.05100) under the names of its checkpoints. */
export class BloomForCausalLM extends TransformerForCausalLM<BloomModel> {
  constructor(config: BloomConfig) {
    const transformer = new BloomModel(config)
    super(transformer, languageHead(config, transformer.word_embeddings))
  }
}
