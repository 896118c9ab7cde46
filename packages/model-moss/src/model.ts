import {
  Embedding,
  IftError,
  LayerNorm,
  Linear,
  Module,
  tensor,
  type CausalLM,
  type ForwardInput,
  type LinearLike,
  type Tensor,
} from '@ift/tensor'
import { fusedRow, type Step } from './attention.js'
import { MossBlock } from './block.js'
import type { MossConfig } from './config.js'

/** Embedding, layers and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
export class MossModel extends Module<[ForwardInput], Tensor> {
  wte: Embedding
  readonly h: MossBlock[]
  readonly ln_f: LayerNorm
  readonly #config: MossConfig

  constructor(config: MossConfig) {
    super()
    this.wte = new Embedding(config.vocabSize, config.hidden)
    this.h = Array.from({ length: config.layers }, (_, layer) => new MossBlock(config, layer))
    this.ln_f = new LayerNorm(config.hidden, config.eps)
    this.#config = config
  }

  protected forward({ ids, embeds, positions, kv, maxPosition, outputRows }: ForwardInput): Tensor {
    const { rotaryDim, maxPositions } = this.#config
    if (maxPosition > maxPositions)
      throw new IftError(
        'IFT_SEQUENCE_TOO_LONG',
        `a sequence of ${maxPosition} tokens exceeds the ${maxPositions} positions of the model (n_positions)`,
        `Set maxLength to ${maxPositions} or less.`,
      )
    if ((ids === undefined) === (embeds === undefined))
      throw new IftError('IFT_ARGUMENT', 'expected either ids or embeds, found both or neither')
    const frequencies = Float32Array.from(
      { length: rotaryDim / 2 },
      (_, i) => 10000 ** ((-2 * i) / rotaryDim),
    )
    const invFreq = tensor(positions.backend, frequencies, [rotaryDim / 2])
    const step: Step = { kv, positions, invFreq, parts: this.#parts(positions) }
    // An alias, because the first layer gives its input away.
    let x = ids === undefined ? embeds!.alias() : this.wte.call(ids)
    for (const [i, block] of this.h.entries()) {
      const y = block.call(x, step, i === this.h.length - 1 ? outputRows : undefined)
      // The scope around would hold the hidden state of every layer until the end.
      x.release()
      x = y
    }
    return this.ln_f.call(x)
  }

  #parts({ backend, size }: Tensor): Step['parts'] {
    const { fused, heads } = this.#config
    if (!fused) return null
    const part = (index: number) => {
      const rows = Array.from({ length: heads }, (_, head) => fusedRow(heads, index, head))
      const all = Int32Array.from(
        { length: size * heads },
        (_, i) => 3 * heads * Math.floor(i / heads) + rows[i % heads]!,
      )
      return tensor(backend, all, [all.length], 'i32')
    }
    const [q, v, k] = [part(0), part(1), part(2)]
    return [q, k, v]
  }
}

/** MOSS-moon-003, CodeGen and GPT-J under the names of their checkpoints. */
export class MossForCausalLM extends Module<[ForwardInput], Tensor> implements CausalLM {
  readonly transformer: MossModel
  lm_head: LinearLike
  readonly #maxPositions: number

  constructor(config: MossConfig) {
    super()
    this.transformer = new MossModel(config)
    this.#maxPositions = config.maxPositions
    this.lm_head = new Linear(config.hidden, config.vocabSize, { bias: true })
  }

  /** 0, until a step is refused. */
  stepKey(maxPosition: number): number {
    return Math.max(0, maxPosition - this.#maxPositions)
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
