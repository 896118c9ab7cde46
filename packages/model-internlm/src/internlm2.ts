import { frequencyKey, type RopeConfig } from '@ift/core/model'
import {
  Embedding,
  Linear,
  Module,
  ops,
  RMSNorm,
  type CausalLM,
  type ForwardInput,
  type LinearLike,
  type Tensor,
} from '@ift/tensor'
import type { InternLMConfig } from './config.js'
import { decode, stepOf } from './decode.js'
import { groupedHeads, InternLM2Attention, type GroupedStep } from './grouped-attention.js'
import { InternLM2MLP } from './mlp.js'

/** Pre-norm attention and feed-forward. x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export class InternLM2DecoderLayer extends Module<[x: Tensor, step: GroupedStep, rows?: Tensor], Tensor> {
  readonly attention: InternLM2Attention
  readonly feed_forward: InternLM2MLP
  readonly attention_norm: RMSNorm
  readonly ffn_norm: RMSNorm

  constructor(config: InternLMConfig, layer: number) {
    super()
    this.attention = new InternLM2Attention(config, layer)
    this.feed_forward = new InternLM2MLP(config)
    this.attention_norm = new RMSNorm(config.hidden, config.eps)
    this.ffn_norm = new RMSNorm(config.hidden, config.eps)
  }

  protected forward(x: Tensor, step: GroupedStep, rows?: Tensor): Tensor {
    const residual = rows === undefined ? x : ops.gatherRows(x, rows)
    const h = this.attention.call(this.attention_norm.call(x), step, residual, rows)
    return this.feed_forward.call(this.ffn_norm.call(h), h)
  }
}

/** Embedding, layers and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
export class InternLM2Model extends Module<[ForwardInput], Tensor> {
  tok_embeddings: Embedding
  readonly layers: InternLM2DecoderLayer[]
  readonly norm: RMSNorm
  readonly #config: InternLMConfig

  constructor(config: InternLMConfig) {
    super()
    const { vocabSize, hidden, layers, eps } = config
    this.tok_embeddings = new Embedding(vocabSize, hidden)
    this.layers = Array.from({ length: layers }, (_, layer) => new InternLM2DecoderLayer(config, layer))
    this.norm = new RMSNorm(hidden, eps)
    this.#config = config
  }

  protected forward(input: ForwardInput): Tensor {
    const { backend, size } = input.positions
    const step = { ...stepOf(input, this.#config), heads: groupedHeads(backend, size, this.#config) }
    return decode(input, step, this.tok_embeddings, this.layers, this.norm)
  }
}

/** InternLM2 and InternLM2.5 under the names of their checkpoints. */
export class InternLM2ForCausalLM extends Module<[ForwardInput], Tensor> implements CausalLM {
  readonly model: InternLM2Model
  output: LinearLike
  readonly #rope: RopeConfig

  constructor(config: InternLMConfig) {
    super()
    this.#rope = config.rope
    this.model = new InternLM2Model(config)
    this.output = new Linear(config.hidden, config.vocabSize)
  }

  stepKey(maxPosition: number): number {
    return frequencyKey(this.#rope, maxPosition)
  }

  get lmHead(): LinearLike {
    return this.output
  }

  get embeddings(): Embedding {
    return this.model.tok_embeddings
  }

  get layers(): readonly Module[] {
    return this.model.layers
  }

  protected forward(input: ForwardInput): Tensor {
    return this.model.call(input)
  }
}
