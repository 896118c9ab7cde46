import {
  DecoderStack,
  fusedRows,
  rotationOf,
  stepOf,
  TransformerForCausalLM,
  type FusedLayout,
} from '@ift/core/model'
import { Embedding, LayerNorm, Linear, type ForwardInput } from '@ift/tensor'
import { codegenLayout } from './attention.js'
import { MossBlock, type MossStep } from './block.js'
import type { MossConfig } from './config.js'

/** No published model has other angles. */
const rope = { kind: 'default', theta: 10000 } as const

/** Embedding, layers and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
class MossModel extends DecoderStack<MossStep> {
  wte: Embedding
  readonly h: MossBlock[]
  readonly ln_f: LayerNorm
  readonly #rotaryDim: number
  /** No parts where q, k and v have a matrix each. */
  readonly #layout: FusedLayout

  constructor(config: MossConfig) {
    const { vocabSize, hidden, layers, heads, rotaryDim, maxPositions: length, eps, fused } = config
    super({ limit: { length, of: `the ${length} positions of the model (n_positions)` } })
    this.wte = new Embedding(vocabSize, hidden)
    this.h = Array.from({ length: layers }, (_, layer) => new MossBlock(config, layer))
    this.ln_f = new LayerNorm(hidden, eps)
    this.#rotaryDim = rotaryDim
    this.#layout = fused ? codegenLayout(heads) : []
  }

  parts() {
    return { embeddings: this.wte, layers: this.h, norm: this.ln_f }
  }

  protected step(input: ForwardInput): MossStep {
    return {
      ...stepOf(input),
      rotation: { ...rotationOf(input, rope, this.#rotaryDim), interleaved: true },
      qkv: fusedRows(input, this.#layout),
    }
  }
}

/** MOSS-moon-003, CodeGen and GPT-J under the names of their checkpoints. */
export class MossForCausalLM extends TransformerForCausalLM<MossModel> {
  constructor(config: MossConfig) {
    super(new MossModel(config), new Linear(config.hidden, config.vocabSize, { bias: true }))
  }
}
