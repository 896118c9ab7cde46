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
import { InternLMAttention } from './attention.js'
import type { InternLMConfig } from './config.js'
import { decode, stepOf, type Step } from './decode.js'
import { InternLMMLP } from './mlp.js'

/** Pre-norm attention and feed-forward. x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
export class InternLMDecoderLayer extends Module<[x: Tensor, step: Step, rows?: Tensor], Tensor> {
  readonly self_attn: InternLMAttention
  readonly mlp: InternLMMLP
  readonly input_layernorm: RMSNorm
  readonly post_attention_layernorm: RMSNorm

  constructor(config: InternLMConfig, layer: number) {
    super()
    this.self_attn = new InternLMAttention(config, layer)
    this.mlp = new InternLMMLP(config)
    this.input_layernorm = new RMSNorm(config.hidden, config.eps)
    this.post_attention_layernorm = new RMSNorm(config.hidden, config.eps)
  }

  protected forward(x: Tensor, step: Step, rows?: Tensor): Tensor {
    const residual = rows === undefined ? x : ops.gatherRows(x, rows)
    const h = this.self_attn.call(this.input_layernorm.call(x), step, residual, rows)
    return this.mlp.call(this.post_attention_layernorm.call(h), h)
  }
}

/** Embedding, layers and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
export class InternLMModel extends Module<[ForwardInput], Tensor> {
  embed_tokens: Embedding
  readonly layers: InternLMDecoderLayer[]
  readonly norm: RMSNorm
  readonly #config: InternLMConfig

  constructor(config: InternLMConfig) {
    super()
    const { vocabSize, hidden, layers, eps } = config
    this.embed_tokens = new Embedding(vocabSize, hidden)
    this.layers = Array.from({ length: layers }, (_, layer) => new InternLMDecoderLayer(config, layer))
    this.norm = new RMSNorm(hidden, eps)
    this.#config = config
  }

  protected forward(input: ForwardInput): Tensor {
    return decode(input, stepOf(input, this.#config), this.embed_tokens, this.layers, this.norm)
  }
}

/** InternLM under the names of its checkpoints. */
export class InternLMForCausalLM extends Module<[ForwardInput], Tensor> implements CausalLM {
  readonly model: InternLMModel
  lm_head: LinearLike
  readonly #rope: RopeConfig

  constructor(config: InternLMConfig) {
    super()
    this.#rope = config.rope
    this.model = new InternLMModel(config)
    this.lm_head = new Linear(config.hidden, config.vocabSize)
  }

  stepKey(maxPosition: number): number {
    return frequencyKey(this.#rope, maxPosition)
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
