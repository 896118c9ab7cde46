import {
  CausalDecoder,
  DecoderStack,
  fusedRows,
  grouped,
  languageHead,
  rotationOf,
  stepOf,
} from '@ift/core/model'
import { Embedding, RMSNorm, type ForwardInput, type LinearLike } from '@ift/tensor'
import type { InternLMConfig } from './config.js'
import { InternLM2DecoderLayer, type InternLM2Step } from './internlm2-layer.js'

class InternLM2Model extends DecoderStack<InternLM2Step> {
  tok_embeddings: Embedding
  readonly layers: InternLM2DecoderLayer[]
  readonly norm: RMSNorm
  readonly #config: InternLMConfig

  constructor(config: InternLMConfig) {
    super({ ropes: [config.rope] })
    const { vocabSize, hidden, layers, eps } = config
    this.tok_embeddings = new Embedding(vocabSize, hidden)
    this.layers = Array.from({ length: layers }, (_, layer) => new InternLM2DecoderLayer(config, layer))
    this.norm = new RMSNorm(hidden, eps)
    this.#config = config
  }

  parts() {
    return { embeddings: this.tok_embeddings, layers: this.layers, norm: this.norm }
  }

  protected step(input: ForwardInput): InternLM2Step {
    const { rope, heads, kvHeads, headDim } = this.#config
    const qkv = fusedRows(input, grouped(heads, kvHeads))
    return { ...stepOf(input), rotation: rotationOf(input, rope, headDim), qkv }
  }
}

/** InternLM2 and InternLM2.5 under the names of their checkpoints. */
export class InternLM2ForCausalLM extends CausalDecoder {
  readonly model: InternLM2Model
  output: LinearLike

  constructor(config: InternLMConfig) {
    super()
    this.model = new InternLM2Model(config)
    this.output = languageHead(config, this.model.tok_embeddings)
  }

  protected parts() {
    return { stack: this.model, head: this.output }
  }
}
