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
  type KvSource,
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
interface Step {
  readonly kv: KvSource
  readonly prompts: PromptLayout
  /** f32 [D / 4] */
  readonly invFreq: Tensor
  /** i32 [N · H] each: rows of q, k and v when the fused projection is seen as [N · H · 3, D]. */
  readonly parts: readonly [q: Tensor, k: Tensor, v: Tensor]
}

/**
 * Attention with two positions a row: the first turns one half of every head, the second the other. The fused projection
 * holds q, k and v of one head side by side. x [N, C], residual [M, C] -> [M, C]; rows i32 [M] says which rows of x go on.
 */
class SelfAttention extends Module<
  [x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined],
  Tensor
> {
  query_key_value: LinearLike
  dense: LinearLike
  readonly #heads: number
  readonly #layer: number

  constructor({ hidden, heads }: ChatGlm1Config, layer: number) {
    super()
    this.query_key_value = new Linear(hidden, 3 * hidden, { bias: true })
    this.dense = new Linear(hidden, hidden, { bias: true })
    this.#heads = heads
    this.#layer = layer
  }

  protected forward(x: Tensor, step: Step, residual: Tensor, rows: Tensor | undefined): Tensor {
    const { kv, prompts, invFreq, parts } = step
    const heads = this.#heads
    const [n, hidden] = [x.dim(0), x.dim(1)]
    const headDim = hidden / heads
    const fused = this.query_key_value.call(x).reshape(n * heads * 3, headDim)
    const part = (index: Tensor) => ops.gatherRows(fused, index).reshape(n, heads, headDim)
    const turned = (t: Tensor) =>
      ops.rope(ops.rope(t, prompts.positions, { invFreq }), prompts.blockPositions, {
        invFreq,
        dimOffset: headDim / 2,
      })
    const y = kv
      .attend(this.#layer, turned(part(parts[0])), turned(part(parts[1])), part(parts[2]), {
        causal: true,
        visiblePrefix: prompts.visiblePrefix,
      })
      .reshape(n, hidden)
    return this.dense.call(rows === undefined ? y : ops.gatherRows(y, rows), residual)
  }
}

/** Feed-forward with GELU in its tanh form, residual added. x, residual [N, C] -> [N, C]. */
class GLU extends Module<[x: Tensor, residual: Tensor], Tensor> {
  dense_h_to_4h: LinearLike
  dense_4h_to_h: LinearLike

  constructor({ hidden, intermediate }: ChatGlm1Config) {
    super()
    this.dense_h_to_4h = new Linear(hidden, intermediate, { bias: true })
    this.dense_4h_to_h = new Linear(intermediate, hidden, { bias: true })
  }

  protected forward(x: Tensor, residual: Tensor): Tensor {
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

class ChatGlm1Model extends Module<[ForwardInput], Tensor> {
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

  protected forward({ ids, embeds, positions, kv, outputRows, prompts }: ForwardInput): Tensor {
    if ((ids === undefined) === (embeds === undefined))
      throw new IftError('IFT_ARGUMENT', 'expected either ids or embeds, found both or neither')
    if (prompts === undefined)
      throw new IftError('IFT_ARGUMENT', 'ChatGLM-6B expected prompts, where its sequences end to be read')
    const { backend, size } = positions
    const { hidden, heads } = this.#config
    const length = size * heads
    const part = (offset: number) =>
      tensor(
        backend,
        Int32Array.from({ length }, (_, i) => 3 * i + offset),
        [length],
        'i32',
      )
    const invFreq = halfHeadFrequencies(hidden / heads)
    const step: Step = {
      kv,
      prompts,
      invFreq: tensor(backend, invFreq, [invFreq.length]),
      parts: [part(0), part(1), part(2)],
    }
    // An alias, because the first layer gives its input away.
    let x = ids === undefined ? embeds!.alias() : this.word_embeddings.call(ids)
    for (const [i, layer] of this.layers.entries()) {
      const y = layer.call(x, step, i === this.layers.length - 1 ? outputRows : undefined)
      // The scope around would hold the hidden state of every layer until the end.
      x.release()
      x = y
    }
    return this.final_layernorm.call(x)
  }
}

/**
 * ChatGLM-6B, the first version (Du et al. 2022, arXiv:2103.10360; Zeng et al. 2023, arXiv:2210.02414), under the names of
 * its checkpoints. What stands before `<sop>` is read in both directions.
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
