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
import type { GlmConfig } from './config.js'
import { attend, decode, gated, type Step } from './decode.js'

/**
 * Attention from one matrix whose rows are all queries, then the keys, then the values of the groups; residual added.
 * x [N, C], residual [M, C] -> [M, C]; rows i32 [M] says which rows of x go on, M = N without.
 */
class ChatGlmAttention extends Module<
  [x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined],
  Tensor
> {
  query_key_value: LinearLike
  dense: LinearLike
  readonly #config: GlmConfig
  readonly #layer: number

  constructor(config: GlmConfig, layer: number) {
    super()
    const { hidden, heads, kvHeads, headDim, qkvBias: bias } = config
    this.query_key_value = new Linear(hidden, (heads + 2 * kvHeads) * headDim, { bias })
    this.dense = new Linear(heads * headDim, hidden)
    this.#config = config
    this.#layer = layer
  }

  protected forward(x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined): Tensor {
    const { heads, kvHeads, headDim } = this.#config
    const n = x.dim(0)
    const fused = this.query_key_value.call(x).reshape(n * (heads + 2 * kvHeads), headDim)
    const part = (index: Tensor, count: number) => ops.gatherRows(fused, index).reshape(n, count, headDim)
    const [q, k, v] = step.parts
    const y = attend(this.#layer, step, part(q, heads), part(k, kvHeads), part(v, kvHeads))
    return this.dense.call(rows === undefined ? y : ops.gatherRows(y, rows), residual)
  }
}

/** SwiGLU feed-forward, residual added. x, residual [N, C] -> [N, C]. */
class ChatGlmMLP extends Module<[x: Tensor, step: Step, residual: Tensor], Tensor> {
  dense_h_to_4h: LinearLike
  dense_4h_to_h: LinearLike

  constructor({ hidden, intermediate }: GlmConfig) {
    super()
    this.dense_h_to_4h = new Linear(hidden, 2 * intermediate)
    this.dense_4h_to_h = new Linear(intermediate, hidden)
  }

  protected forward(x: Tensor, { halves }: Step, residual: Tensor): Tensor {
    return this.dense_4h_to_h.call(gated(this.dense_h_to_4h.call(x), halves), residual)
  }
}

/** Pre-norm attention and feed-forward. x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
class ChatGlmLayer extends Module<[x: Tensor, step: Step, rows?: Tensor], Tensor> {
  readonly input_layernorm: RMSNorm
  readonly self_attention: ChatGlmAttention
  readonly post_attention_layernorm: RMSNorm
  readonly mlp: ChatGlmMLP

  constructor(config: GlmConfig, layer: number) {
    super()
    this.input_layernorm = new RMSNorm(config.hidden, config.eps)
    this.self_attention = new ChatGlmAttention(config, layer)
    this.post_attention_layernorm = new RMSNorm(config.hidden, config.eps)
    this.mlp = new ChatGlmMLP(config)
  }

  protected forward(x: Tensor, step: Step, rows?: Tensor): Tensor {
    const normed = this.input_layernorm.call(x)
    const residual = rows === undefined ? x : ops.gatherRows(x, rows)
    const h = this.self_attention.call(normed, step, residual, rows)
    return this.mlp.call(this.post_attention_layernorm.call(h), step, h)
  }
}

/** Holds `word_embeddings` under the name of the checkpoint. ids i32 [N] -> [N, C]. */
class ChatGlmEmbedding extends Module<[ids: Tensor], Tensor> {
  word_embeddings: Embedding

  constructor(config: GlmConfig) {
    super()
    this.word_embeddings = new Embedding(config.vocabSize, config.hidden)
  }

  protected forward(ids: Tensor): Tensor {
    return this.word_embeddings.call(ids)
  }
}

/** Layers and final norm over an embedding that it does not own. */
class ChatGlmEncoder extends Module<[input: ForwardInput, embedding: Embedding], Tensor> {
  readonly layers: ChatGlmLayer[]
  readonly final_layernorm: RMSNorm
  readonly #config: GlmConfig

  constructor(config: GlmConfig) {
    super()
    this.layers = Array.from({ length: config.layers }, (_, layer) => new ChatGlmLayer(config, layer))
    this.final_layernorm = new RMSNorm(config.hidden, config.eps)
    this.#config = config
  }

  protected forward(input: ForwardInput, embedding: Embedding): Tensor {
    return decode(this.#config, input, embedding, this.layers, this.final_layernorm)
  }
}

class ChatGlmTransformer extends Module<[ForwardInput], Tensor> {
  readonly embedding: ChatGlmEmbedding
  readonly encoder: ChatGlmEncoder
  output_layer: LinearLike

  constructor(config: GlmConfig) {
    super()
    this.embedding = new ChatGlmEmbedding(config)
    this.encoder = new ChatGlmEncoder(config)
    this.output_layer = new Linear(config.hidden, config.vocabSize)
  }

  protected forward(input: ForwardInput): Tensor {
    return this.encoder.call(input, this.embedding.word_embeddings)
  }
}

/** ChatGLM2, ChatGLM3 and GLM-4 (Zeng et al. 2024, arXiv:2406.12793) under the names of their own code. */
export class ChatGlmForCausalLM extends Module<[ForwardInput], Tensor> implements CausalLM {
  readonly transformer: ChatGlmTransformer

  constructor(config: GlmConfig) {
    super()
    this.transformer = new ChatGlmTransformer(config)
  }

  get lmHead(): LinearLike {
    return this.transformer.output_layer
  }

  get embeddings(): Embedding {
    return this.transformer.embedding.word_embeddings
  }

  get layers(): readonly Module[] {
    return this.transformer.encoder.layers
  }

  protected forward(input: ForwardInput): Tensor {
    return this.transformer.call(input)
  }
}
