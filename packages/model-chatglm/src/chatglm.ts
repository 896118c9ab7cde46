import {
  CausalDecoder,
  consecutive,
  DecoderStack,
  FusedAttention,
  fusedRows,
  fusedSwiglu,
  PreNormBlock,
  type FusedGateStep,
  type FusedHeadsStep,
  type RotaryStep,
} from '@ift/core/model'
import {
  Embedding,
  Linear,
  Module,
  ops,
  RMSNorm,
  type ForwardInput,
  type LinearLike,
  type Tensor,
} from '@ift/tensor'
import type { GlmConfig } from './config.js'
import { glmStep } from './step.js'

/** What every layer of a forward pass shares. */
type Step = RotaryStep & FusedHeadsStep & FusedGateStep

/**
 * Attention from one matrix whose rows are all queries, then the keys, then the values of the groups. Shapes are those of
 * `CausalAttention`.
 */
class ChatGlmAttention extends FusedAttention<Step> {
  query_key_value: LinearLike
  dense: LinearLike

  constructor(config: GlmConfig, layer: number) {
    const { hidden, heads, kvHeads, headDim, qkvBias: bias } = config
    super(layer, headDim)
    this.query_key_value = new Linear(hidden, (heads + 2 * kvHeads) * headDim, { bias })
    this.dense = new Linear(heads * headDim, hidden)
  }

  protected parts() {
    return { input: this.query_key_value, output: this.dense }
  }

  protected override turn(heads: Tensor, { positions, rotation }: Step): Tensor {
    return ops.rope(heads, positions, rotation)
  }
}

/** SwiGLU feed-forward from one matrix. Shapes are those of `FusedGatedMLP`. */
class ChatGlmMLP extends Module<
  [x: Tensor, residual: Tensor | undefined, step: Step, rows?: Tensor],
  Tensor
> {
  dense_h_to_4h: LinearLike
  dense_4h_to_h: LinearLike

  constructor({ hidden, intermediate }: GlmConfig) {
    super()
    this.dense_h_to_4h = new Linear(hidden, 2 * intermediate)
    this.dense_4h_to_h = new Linear(intermediate, hidden)
  }

  protected forward(x: Tensor, residual: Tensor | undefined, step: Step, rows?: Tensor): Tensor {
    return this.dense_4h_to_h.call(fusedSwiglu(this.dense_h_to_4h.call(x), step, rows), residual)
  }
}

/** Pre-norm attention and feed-forward. x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
class ChatGlmLayer extends PreNormBlock<Step> {
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

  protected parts() {
    const { input_layernorm: attentionNorm, self_attention: attention, mlp } = this
    return { attentionNorm, attention, mlpNorm: this.post_attention_layernorm, mlp }
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
class ChatGlmEncoder extends DecoderStack<Step> {
  readonly layers: ChatGlmLayer[]
  readonly final_layernorm: RMSNorm
  readonly #config: GlmConfig
  readonly #embedding: ChatGlmEmbedding

  constructor(config: GlmConfig, embedding: ChatGlmEmbedding) {
    super()
    this.layers = Array.from({ length: config.layers }, (_, layer) => new ChatGlmLayer(config, layer))
    this.final_layernorm = new RMSNorm(config.hidden, config.eps)
    this.#config = config
    this.#embedding = embedding
  }

  parts() {
    const { word_embeddings: embeddings } = this.#embedding
    return { embeddings, layers: this.layers, norm: this.final_layernorm }
  }

  protected step(input: ForwardInput): Step {
    const { heads, kvHeads } = this.#config
    const qkv = fusedRows(input, consecutive(heads, kvHeads, kvHeads))
    return { ...glmStep(input, this.#config), qkv }
  }
}

class ChatGlmTransformer extends Module<[ForwardInput], Tensor> {
  readonly embedding: ChatGlmEmbedding
  readonly encoder: ChatGlmEncoder
  output_layer: LinearLike

  constructor(config: GlmConfig) {
    super()
    this.embedding = new ChatGlmEmbedding(config)
    this.encoder = new ChatGlmEncoder(config, this.embedding)
    this.output_layer = new Linear(config.hidden, config.vocabSize)
  }

  protected forward(input: ForwardInput): Tensor {
    return this.encoder.call(input)
  }
}

/** ChatGLM2, ChatGLM3 and GLM-4 (Zeng et al. 2024, arXiv:2406.12793) under the names of their own code. */
export class ChatGlmForCausalLM extends CausalDecoder {
  readonly transformer: ChatGlmTransformer

  constructor(config: GlmConfig) {
    super()
    this.transformer = new ChatGlmTransformer(config)
  }

  protected parts() {
    return { stack: this.transformer.encoder, head: this.transformer.output_layer }
  }
}
