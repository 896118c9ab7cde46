import {
  backward,
  Embedding,
  Linear,
  Module,
  ops,
  PackedKv,
  random,
  replaceModules,
  RMSNorm,
  scope,
  segments,
  tensor,
  withRandom,
} from '../index.js'
import type { Backend, CausalLM, FloatDType, ForwardInput, KvSource, LinearLike, Tensor } from '../index.js'

interface Sizes {
  readonly hidden: number
  readonly heads: number
  readonly kvHeads: number
  readonly layers: number
  readonly vocab: number
  readonly dropout: number
}

interface Context {
  readonly positions: Tensor
  readonly invFreq: Tensor
  readonly kv: KvSource
}

/** y = base(x) + B A dropout(x). */
export class Lora extends Module<[x: Tensor, addTo?: Tensor], Tensor> implements LinearLike {
  readonly lora_A: Linear
  readonly lora_B: Linear

  constructor(
    readonly base: LinearLike,
    rank: number,
    readonly dropout: number,
  ) {
    super()
    this.lora_A = new Linear(base.inFeatures, rank)
    this.lora_B = new Linear(rank, base.outFeatures)
  }

  get inFeatures() {
    return this.base.inFeatures
  }

  get outFeatures() {
    return this.base.outFeatures
  }

  protected forward(x: Tensor, addTo?: Tensor): Tensor {
    const low = this.lora_A.call(ops.dropout(x, this.dropout))
    return ops.linear(low, this.lora_B.weight.value, { alpha: 2, addTo: this.base.call(x, addTo) })
  }
}

class Attention extends Module<[Tensor, Context, Tensor], Tensor> {
  q_proj: LinearLike
  k_proj: LinearLike
  v_proj: LinearLike
  o_proj: LinearLike

  constructor(
    readonly sizes: Sizes,
    readonly layer: number,
  ) {
    super()
    const { hidden, heads, kvHeads } = sizes
    const kvDim = (hidden / heads) * kvHeads
    this.q_proj = new Linear(hidden, hidden)
    this.k_proj = new Linear(hidden, kvDim)
    this.v_proj = new Linear(hidden, kvDim)
    this.o_proj = new Linear(hidden, hidden)
  }

  protected forward(x: Tensor, { positions, invFreq, kv }: Context, residual: Tensor): Tensor {
    const { hidden, heads, kvHeads } = this.sizes
    const d = hidden / heads
    const q = ops.rope(this.q_proj.call(x).reshape(-1, heads, d), positions, { invFreq })
    const k = ops.rope(this.k_proj.call(x).reshape(-1, kvHeads, d), positions, { invFreq })
    const v = this.v_proj.call(x).reshape(-1, kvHeads, d)
    return this.o_proj.call(kv.attend(this.layer, q, k, v, { causal: true }).reshape(-1, hidden), residual)
  }
}

class Mlp extends Module<[Tensor, Tensor], Tensor> {
  gate_proj: LinearLike
  up_proj: LinearLike
  down_proj: LinearLike

  constructor({ hidden }: Sizes) {
    super()
    this.gate_proj = new Linear(hidden, 2 * hidden)
    this.up_proj = new Linear(hidden, 2 * hidden)
    this.down_proj = new Linear(2 * hidden, hidden)
  }

  protected forward(x: Tensor, residual: Tensor): Tensor {
    return this.down_proj.call(ops.swiglu(this.gate_proj.call(x), this.up_proj.call(x)), residual)
  }
}

class Layer extends Module<[Tensor, Context], Tensor> {
  input_layernorm: RMSNorm
  self_attn: Attention
  post_attention_layernorm: RMSNorm
  mlp: Mlp

  constructor(sizes: Sizes, layer: number) {
    super()
    this.input_layernorm = new RMSNorm(sizes.hidden, 1e-5)
    this.self_attn = new Attention(sizes, layer)
    this.post_attention_layernorm = new RMSNorm(sizes.hidden, 1e-5)
    this.mlp = new Mlp(sizes)
  }

  protected forward(x: Tensor, context: Context): Tensor {
    const h = this.self_attn.call(this.input_layernorm.call(x), context, x)
    return this.mlp.call(this.post_attention_layernorm.call(h), h)
  }
}

/** A small Llama-like decoder for tests of layers, caches and memory. */
export class Decoder extends Module<[ForwardInput], Tensor> implements CausalLM {
  embed_tokens: Embedding
  layers: Layer[]
  norm: RMSNorm
  lm_head: LinearLike

  constructor(readonly sizes: Sizes) {
    super()
    this.embed_tokens = new Embedding(sizes.vocab, sizes.hidden)
    this.layers = Array.from({ length: sizes.layers }, (_, i) => new Layer(sizes, i))
    this.norm = new RMSNorm(sizes.hidden, 1e-5)
    this.lm_head = new Linear(sizes.hidden, sizes.vocab)
  }

  get lmHead() {
    return this.lm_head
  }

  get embeddings() {
    return this.embed_tokens
  }

  protected forward(input: ForwardInput): Tensor {
    const { hidden, heads } = this.sizes
    const half = hidden / heads / 2
    const ids = input.ids!
    const invFreq = tensor(
      ids.backend,
      Float64Array.from({ length: half }, (_, i) => 100 ** (-i / half)),
      [half],
    )
    const context = { positions: input.positions, invFreq, kv: input.kv }
    let h = this.embed_tokens.call(ids)
    for (const layer of this.layers) h = layer.call(h, context)
    h = this.norm.call(h)
    return input.outputRows === undefined ? h : ops.gatherRows(h, input.outputRows)
  }
}

export const sizes: Sizes = { hidden: 16, heads: 4, kvHeads: 2, layers: 3, vocab: 23, dropout: 0.2 }

/** Gives every parameter random values. */
export function fill(module: Module, backend: Backend, dtype: FloatDType = 'f32'): void {
  let stream = 0
  for (const [path, parameter] of module.namedParameters()) {
    stream++
    const raw = random(backend, parameter.shape, 'normal', { seed: 7, stream }, dtype)
    parameter.assign(ops.scale(raw, path.includes('norm') ? 1 : 0.3))
    raw.release()
  }
}

export const ints = (backend: Backend, values: readonly number[]): Tensor =>
  tensor(backend, values, [values.length], 'i32')

/** Sequences end to end, every one attending to itself. */
export function packed(backend: Backend, sequences: readonly (readonly number[])[]): ForwardInput {
  const s = segments(
    backend,
    sequences.map((ids) => ids.length),
  )
  return {
    ids: ints(backend, sequences.flat()),
    positions: ints(
      backend,
      sequences.flatMap((ids) => ids.map((_, i) => i)),
    ),
    segments: s,
    kv: new PackedKv(s),
    maxPosition: s.max,
  }
}

/** Ids of three sequences, 13 in all. */
export const sequences = [[1, 5, 9, 2, 2], [7], [3, 8, 11, 20, 0, 4, 6]]

/** A decoder with LoRA on the named layers, only LoRA training. */
export function withLora(
  backend: Backend,
  dtype: FloatDType = 'f32',
  targets = /(q_proj|v_proj|down_proj)$/,
): Decoder {
  const model = new Decoder(sizes)
  replaceModules(
    model,
    (path, m) => targets.test(path) && m instanceof Linear,
    (m) => new Lora(m as unknown as LinearLike, 2, sizes.dropout),
  )
  fill(model, backend, dtype)
  for (const [path, parameter] of model.namedParameters())
    if (path.includes('lora_')) parameter.setTrainable(true)
  return model
}

/** Forward and backward over `sequences`. -> the loss. */
export function step(model: Decoder, backend: Backend): Tensor {
  return withRandom({ seed: 1, step: 2, micro: 0 }, () => {
    const loss = ops.linearCrossEntropy(
      model.call(packed(backend, sequences)),
      model.lmHead,
      ints(backend, [5, 9, -100, 2, 1, 3, -100, 11, 20, 0, 4, 6, 1]),
      { gradScale: 1 / 11, chunkRows: 4 },
    )
    backward(loss)
    return loss
  })
}

/** A scope that lets nothing out. */
export const within = (fn: () => unknown): void =>
  scope(() => {
    fn()
  })
