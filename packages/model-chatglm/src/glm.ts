import {
  Embedding,
  Linear,
  Module,
  ops,
  RMSNorm,
  TiedLinear,
  type CausalLM,
  type ForwardInput,
  type LinearLike,
  type Tensor,
} from '@ift/tensor'
import type { GlmConfig } from './config.js'
import { attend, decode, gated, type Step } from './decode.js'

/**
 * Grouped-query attention, residual added where there is one. x [N, C], residual [M, C] -> [M, C]; rows i32 [M] says which
 * rows of x go on, M = N without.
 */
class GlmAttention extends Module<
  [x: Tensor, step: Step, residual: Tensor | undefined, rows: Tensor | undefined],
  Tensor
> {
  q_proj: LinearLike
  k_proj: LinearLike
  v_proj: LinearLike
  o_proj: LinearLike
  readonly #config: GlmConfig
  readonly #layer: number

  constructor(config: GlmConfig, layer: number) {
    super()
    const { hidden, heads, kvHeads, headDim, qkvBias: bias } = config
    this.q_proj = new Linear(hidden, heads * headDim, { bias })
    this.k_proj = new Linear(hidden, kvHeads * headDim, { bias })
    this.v_proj = new Linear(hidden, kvHeads * headDim, { bias })
    this.o_proj = new Linear(heads * headDim, hidden)
    this.#config = config
    this.#layer = layer
  }

  protected forward(x: Tensor, step: Step, residual: Tensor | undefined, rows: Tensor | undefined): Tensor {
    const { heads, kvHeads, headDim } = this.#config
    const n = x.dim(0)
    const q = this.q_proj.call(x).reshape(n, heads, headDim)
    const k = this.k_proj.call(x).reshape(n, kvHeads, headDim)
    const v = this.v_proj.call(x).reshape(n, kvHeads, headDim)
    const y = attend(this.#layer, step, q, k, v)
    return this.o_proj.call(rows === undefined ? y : ops.gatherRows(y, rows), residual)
  }
}

/** SwiGLU feed-forward, residual added where there is one. x, residual [N, C] -> [N, C]. */
class GlmMLP extends Module<[x: Tensor, step: Step, residual?: Tensor], Tensor> {
  gate_up_proj: LinearLike
  down_proj: LinearLike

  constructor({ hidden, intermediate }: GlmConfig) {
    super()
    this.gate_up_proj = new Linear(hidden, 2 * intermediate)
    this.down_proj = new Linear(intermediate, hidden)
  }

  protected forward(x: Tensor, { halves }: Step, residual?: Tensor): Tensor {
    return this.down_proj.call(gated(this.gate_up_proj.call(x), halves), residual)
  }
}

/**
 * Attention and feed-forward behind a norm, and in GLM-4-0414 before one too. x [N, C] -> [N, C], or [M, C] for rows
 * i32 [M].
 */
class GlmDecoderLayer extends Module<[x: Tensor, step: Step, rows?: Tensor], Tensor> {
  readonly self_attn: GlmAttention
  readonly mlp: GlmMLP
  readonly input_layernorm: RMSNorm
  readonly post_attention_layernorm: RMSNorm
  readonly post_self_attn_layernorm?: RMSNorm
  readonly post_mlp_layernorm?: RMSNorm

  constructor(config: GlmConfig, layer: number) {
    super()
    this.self_attn = new GlmAttention(config, layer)
    this.mlp = new GlmMLP(config)
    this.input_layernorm = new RMSNorm(config.hidden, config.eps)
    this.post_attention_layernorm = new RMSNorm(config.hidden, config.eps)
    if (config.outputNorms) {
      this.post_self_attn_layernorm = new RMSNorm(config.hidden, config.eps)
      this.post_mlp_layernorm = new RMSNorm(config.hidden, config.eps)
    }
  }

  protected forward(x: Tensor, step: Step, rows?: Tensor): Tensor {
    const normed = this.input_layernorm.call(x)
    const residual = rows === undefined ? x : ops.gatherRows(x, rows)
    const [afterAttention, afterMlp] = [this.post_self_attn_layernorm, this.post_mlp_layernorm]
    if (!afterAttention || !afterMlp) {
      const h = this.self_attn.call(normed, step, residual, rows)
      return this.mlp.call(this.post_attention_layernorm.call(h), step, h)
    }
    const h = ops.add(residual, afterAttention.call(this.self_attn.call(normed, step, undefined, rows)))
    return ops.add(h, afterMlp.call(this.mlp.call(this.post_attention_layernorm.call(h), step)))
  }
}

/** Embedding, layers and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
class GlmModel extends Module<[ForwardInput], Tensor> {
  embed_tokens: Embedding
  readonly layers: GlmDecoderLayer[]
  readonly norm: RMSNorm
  readonly #config: GlmConfig

  constructor(config: GlmConfig) {
    super()
    this.embed_tokens = new Embedding(config.vocabSize, config.hidden)
    this.layers = Array.from({ length: config.layers }, (_, layer) => new GlmDecoderLayer(config, layer))
    this.norm = new RMSNorm(config.hidden, config.eps)
    this.#config = config
  }

  protected forward(input: ForwardInput): Tensor {
    return decode(this.#config, input, this.embed_tokens, this.layers, this.norm)
  }
}

/** GLM-4 (Zeng et al. 2024, arXiv:2406.12793) and GLM-4-0414 under the names of transformers. */
export class GlmForCausalLM extends Module<[ForwardInput], Tensor> implements CausalLM {
  readonly model: GlmModel
  lm_head: LinearLike

  constructor(config: GlmConfig) {
    super()
    this.model = new GlmModel(config)
    this.lm_head = config.tieWordEmbeddings
      ? new TiedLinear(this.model.embed_tokens)
      : new Linear(config.hidden, config.vocabSize)
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
