import { Embedding, Linear, Module, ops, RMSNorm, type KvSource, type Tensor } from '@ift/tensor'

/** Sizes of the decoder. */
export interface Sizes {
  readonly vocab: number
  readonly hidden: number
  readonly heads: number
  readonly layers: number
}

/** What every layer needs besides the hidden states. */
export interface Context {
  /** i32 [N] */
  readonly positions: Tensor
  /** f32 [headDim / 2] */
  readonly invFreq: Tensor
  readonly kv: KvSource
}

/** Causal self-attention with rotary positions, added to the residual. x [N, C] -> [N, C]. */
class Attention extends Module<[x: Tensor, context: Context, residual: Tensor], Tensor> {
  readonly q_proj: Linear
  readonly k_proj: Linear
  readonly v_proj: Linear
  readonly o_proj: Linear
  readonly heads: number
  readonly layer: number

  constructor({ hidden, heads }: Sizes, layer: number) {
    super()
    this.heads = heads
    this.layer = layer
    this.q_proj = new Linear(hidden, hidden)
    this.k_proj = new Linear(hidden, hidden)
    this.v_proj = new Linear(hidden, hidden)
    this.o_proj = new Linear(hidden, hidden)
  }

  protected forward(x: Tensor, { positions, invFreq, kv }: Context, residual: Tensor): Tensor {
    const [rows, hidden] = [x.dim(0), x.dim(1)]
    const perHead = [rows, this.heads, hidden / this.heads]
    const q = ops.rope(this.q_proj.call(x).reshape(...perHead), positions, { invFreq })
    const k = ops.rope(this.k_proj.call(x).reshape(...perHead), positions, { invFreq })
    const v = this.v_proj.call(x).reshape(...perHead)
    const seen = kv.attend(this.layer, q, k, v, { causal: true })
    return this.o_proj.call(seen.reshape(rows, hidden), residual)
  }
}

/** Pre-norm block of attention and SwiGLU. x [N, C] -> [N, C]. */
class Block extends Module<[x: Tensor, context: Context], Tensor> {
  readonly attention_norm: RMSNorm
  readonly attention: Attention
  readonly mlp_norm: RMSNorm
  readonly gate_proj: Linear
  readonly up_proj: Linear
  readonly down_proj: Linear

  constructor(sizes: Sizes, layer: number) {
    super()
    const { hidden } = sizes
    this.attention_norm = new RMSNorm(hidden, 1e-5)
    this.attention = new Attention(sizes, layer)
    this.mlp_norm = new RMSNorm(hidden, 1e-5)
    this.gate_proj = new Linear(hidden, 2 * hidden)
    this.up_proj = new Linear(hidden, 2 * hidden)
    this.down_proj = new Linear(2 * hidden, hidden)
  }

  protected forward(x: Tensor, context: Context): Tensor {
    const h = this.attention.call(this.attention_norm.call(x), context, x)
    const normed = this.mlp_norm.call(h)
    return this.down_proj.call(ops.swiglu(this.gate_proj.call(normed), this.up_proj.call(normed)), h)
  }
}

/** A small decoder. ids i32 [N] -> hidden states [N, C]; the loss multiplies by `head`. */
export class Decoder extends Module<[ids: Tensor, context: Context], Tensor> {
  readonly embed: Embedding
  readonly layers: Block[]
  readonly norm: RMSNorm
  readonly head: Linear

  constructor(sizes: Sizes) {
    super()
    this.embed = new Embedding(sizes.vocab, sizes.hidden)
    this.layers = Array.from({ length: sizes.layers }, (_, i) => new Block(sizes, i))
    this.norm = new RMSNorm(sizes.hidden, 1e-5)
    this.head = new Linear(sizes.hidden, sizes.vocab)
  }

  protected forward(ids: Tensor, context: Context): Tensor {
    let h = this.embed.call(ids)
    for (const layer of this.layers) h = layer.call(h, context)
    return this.norm.call(h)
  }
}
