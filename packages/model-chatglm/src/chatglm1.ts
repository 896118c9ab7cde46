import {
  DecoderStack,
  FusedAttention,
  fusedRows,
  grouped,
  stepOf,
  type FusedHeadsStep,
} from '@ift/core/model'
import {
  Embedding,
  IftError,
  LayerNorm,
  Linear,
  Module,
  ops,
  tensor,
  type CausalLM,
  type ForwardInput,
  type LinearLike,
  type PromptLayout,
  type PromptSpan,
  type Tensor,
} from '@ift/tensor'
import type { ChatGlm1Config } from './chatglm1-config.js'
import { toHalf } from './half.js'

/**
 * Factor of the residual, √(2 · layers) of DeepNorm (Wang et al. 2022, arXiv:2203.00555). The original's constant is that
 * of its 28 layers, whatever num_layers says.
 */
export const residualScale = Math.sqrt(2 * 28)

/** Angles per position of half a head, rounded to float16 as the original does once, in every type. */
export const halfHeadFrequencies = (headDim: number): Float32Array =>
  Float32Array.from({ length: headDim / 4 }, (_, i) => toHalf(10000 ** ((-4 * i) / headDim)))

/** What every layer of a forward pass shares. */
interface Step extends FusedHeadsStep {
  readonly prompts: PromptLayout
  /** f32 [D / 4] */
  readonly invFreq: Tensor
}

/**
 * Attention with two positions a row: the first turns one half of every head, the second the other. The fused projection
 * holds q, k and v of one head side by side. Shapes are those of `CausalAttention`.
 */
class SelfAttention extends FusedAttention<Step> {
  query_key_value: LinearLike
  dense: LinearLike

  constructor({ hidden, heads }: ChatGlm1Config, layer: number) {
    super(layer, hidden / heads)
    this.query_key_value = new Linear(hidden, 3 * hidden, { bias: true })
    this.dense = new Linear(hidden, hidden, { bias: true })
  }

  protected parts() {
    return { input: this.query_key_value, output: this.dense }
  }

  protected override turn(heads: Tensor, { prompts, invFreq }: Step): Tensor {
    const half = ops.rope(heads, prompts.positions, { invFreq })
    return ops.rope(half, prompts.blockPositions, { invFreq, dimOffset: heads.dim(2) / 2 })
  }

  protected override visibility({ prompts }: Step) {
    return { visiblePrefix: prompts.visiblePrefix }
  }
}

/** Feed-forward with GELU in its tanh form, residual added. x, residual [N, C] -> [N, C]. */
class GLU extends Module<[x: Tensor, residual?: Tensor], Tensor> {
  dense_h_to_4h: LinearLike
  dense_4h_to_h: LinearLike

  constructor({ hidden, intermediate }: ChatGlm1Config) {
    super()
    this.dense_h_to_4h = new Linear(hidden, intermediate, { bias: true })
    this.dense_4h_to_h = new Linear(intermediate, hidden, { bias: true })
  }

  protected forward(x: Tensor, residual?: Tensor): Tensor {
    return this.dense_4h_to_h.call(ops.gelu(this.dense_h_to_4h.call(x), 'tanh'), residual)
  }
}

/** Attention and feed-forward; the residual is what the norm gives, scaled. x [N, C] -> [N, C], or [M, C] for rows i32 [M]. */
class GLMBlock extends Module<[x: Tensor, step: Step, rows?: Tensor], Tensor> {
  readonly input_layernorm: LayerNorm
  readonly attention: SelfAttention
  readonly post_attention_layernorm: LayerNorm
  readonly mlp: GLU

  constructor(config: ChatGlm1Config, layer: number) {
    super()
    this.input_layernorm = new LayerNorm(config.hidden, config.eps)
    this.attention = new SelfAttention(config, layer)
    this.post_attention_layernorm = new LayerNorm(config.hidden, config.eps)
    this.mlp = new GLU(config)
  }

  protected forward(x: Tensor, step: Step, rows?: Tensor): Tensor {
    const normed = this.input_layernorm.call(x)
    const kept = rows === undefined ? normed : ops.gatherRows(normed, rows)
    const h = this.attention.call(normed, step, ops.scale(kept, residualScale), rows)
    const again = this.post_attention_layernorm.call(h)
    return this.mlp.call(again, ops.scale(again, residualScale))
  }
}

class ChatGlm1Model extends DecoderStack<Step> {
  word_embeddings: Embedding
  readonly layers: GLMBlock[]
  readonly final_layernorm: LayerNorm
  readonly #config: ChatGlm1Config

  constructor(config: ChatGlm1Config) {
    super()
    this.word_embeddings = new Embedding(config.vocabSize, config.hidden)
    this.layers = Array.from({ length: config.layers }, (_, layer) => new GLMBlock(config, layer))
    this.final_layernorm = new LayerNorm(config.hidden, config.eps)
    this.#config = config
  }

  parts() {
    return { embeddings: this.word_embeddings, layers: this.layers, norm: this.final_layernorm }
  }

  protected step(input: ForwardInput): Step {
    const { prompts } = input
    if (prompts === undefined)
      throw new IftError('IFT_ARGUMENT', 'ChatGLM-6B expected prompts, where its sequences end to be read')
    const { hidden, heads } = this.#config
    const invFreq = halfHeadFrequencies(hidden / heads)
    return {
      ...stepOf(input),
      prompts,
      invFreq: tensor(input.positions.backend, invFreq, [invFreq.length]),
      qkv: fusedRows(input, grouped(heads, heads)),
    }
  }
}

/**
 * ChatGLM-6B, the first version (Du et al. 2022, arXiv:2103.10360; Zeng et al. 2023, arXiv:2210.02414), under the names of
 * its checkpoints. What stands before `<sop>` is read in both directions. It has no `stepKey`: a step that is written down has no
 * prompts.
 */
export class ChatGlm1ForCausalLM extends Module<[ForwardInput], Tensor> implements CausalLM {
  readonly transformer: ChatGlm1Model
  lm_head: LinearLike
  readonly #config: ChatGlm1Config

  constructor(config: ChatGlm1Config) {
    super()
    this.transformer = new ChatGlm1Model(config)
    this.lm_head = new Linear(config.hidden, config.vocabSize)
    this.#config = config
  }

  get lmHead(): LinearLike {
    return this.lm_head
  }

  get embeddings(): Embedding {
    return this.transformer.word_embeddings
  }

  get layers(): readonly Module[] {
    return this.transformer.layers
  }

  /** All before the first `<sop>`, with the blank at the first `[gMASK]`, or else `[MASK]`. Without `<sop>` nothing. */
  promptOf(ids: ArrayLike<number>): PromptSpan {
    const { startId, gmaskId, maskId } = this.#config
    const all = Array.from(ids)
    const length = Math.max(0, all.indexOf(startId))
    const gmask = all.indexOf(gmaskId)
    const blank = gmask < 0 ? all.indexOf(maskId) : gmask
    return { length, blank: Math.max(0, blank) }
  }

  protected forward(input: ForwardInput): Tensor {
    return this.transformer.call(input)
  }
}
