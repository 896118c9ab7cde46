import {
  Embedding,
  IftError,
  LayerNorm,
  Linear,
  Module,
  ops,
  tensor,
  TiedLinear,
  type CausalLM,
  type ForwardInput,
  type LinearLike,
  type Tensor,
} from '@ift/tensor'
import { Gpt2Block } from './block.js'
import type { Gpt2Config } from './config.js'

/** Token and position embeddings, blocks and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
export class Gpt2Model extends Module<[ForwardInput], Tensor> {
  wte: Embedding
  readonly wpe: Embedding
  readonly h: Gpt2Block[]
  readonly ln_f: LayerNorm

  constructor(config: Gpt2Config) {
    super()
    this.wte = new Embedding(config.vocabSize, config.hidden)
    this.wpe = new Embedding(config.maxPositions, config.hidden)
    this.h = Array.from({ length: config.layers }, (_, layer) => new Gpt2Block(config, layer))
    this.ln_f = new LayerNorm(config.hidden, config.eps)
  }

  protected forward({ ids, embeds, positions, kv, maxPosition, outputRows }: ForwardInput): Tensor {
    if (maxPosition > this.wpe.count)
      throw new IftError(
        'IFT_SEQUENCE_TOO_LONG',
        `a sequence of ${maxPosition} tokens exceeds the ${this.wpe.count} positions that the model has learned`,
        `Set maxLength to ${this.wpe.count} or less.`,
      )
    if ((ids === undefined) === (embeds === undefined))
      throw new IftError('IFT_ARGUMENT', 'expected either ids or embeds, found both or neither')
    const tokens = ids === undefined ? embeds! : this.wte.call(ids)
    let x = ops.add(tokens, this.wpe.call(positions))
    const n = positions.size
    const part = (offset: number) =>
      tensor(
        positions.backend,
        Int32Array.from({ length: n }, (_, i) => 3 * i + offset),
        [n],
        'i32',
      )
    const step = { kv, parts: [part(0), part(1), part(2)] as const }
    for (const [i, block] of this.h.entries()) {
      const y = block.call(x, step, i === this.h.length - 1 ? outputRows : undefined)
      // The scope around would hold the hidden state of every layer until the end.
      x.release()
      x = y
    }
    return this.ln_f.call(x)
  }
}

/** GPT-2 (Radford et al. 2019) under the names of its checkpoints. */
export class Gpt2ForCausalLM extends Module<[ForwardInput], Tensor> implements CausalLM {
  readonly transformer: Gpt2Model
  lm_head: LinearLike

  constructor(config: Gpt2Config) {
    super()
    this.transformer = new Gpt2Model(config)
    this.lm_head = config.tieWordEmbeddings
      ? new TiedLinear(this.transformer.wte)
      : new Linear(config.hidden, config.vocabSize)
  }

  get lmHead(): LinearLike {
    return this.lm_head
  }

  get embeddings(): Embedding {
    return this.transformer.wte
  }

  get layers(): readonly Module[] {
    return this.transformer.h
  }

  protected forward(input: ForwardInput): Tensor {
    return this.transformer.call(input)
  }
}
