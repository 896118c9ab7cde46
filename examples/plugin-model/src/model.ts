import {
  consecutive,
  DecoderStack,
  fusedRows,
  languageHead,
  stepOf,
  TransformerForCausalLM,
  type FusedHeadsStep,
} from '@ift/core/model'
import { Embedding, LayerNorm, ops, type ForwardInput, type Tensor } from '@ift/tensor'
import { Gpt2Block } from './block.js'
import type { Gpt2Config } from './config.js'

/** Token and position embeddings, blocks and final norm. -> [N, C], or [M, C] for the rows that are wanted. */
class Gpt2Model extends DecoderStack<FusedHeadsStep> {
  wte: Embedding
  readonly wpe: Embedding
  readonly h: Gpt2Block[]
  readonly ln_f: LayerNorm

  constructor(config: Gpt2Config) {
    const { vocabSize, hidden, layers, maxPositions, eps } = config
    super({ limit: { length: maxPositions, of: `the ${maxPositions} positions that the model has learned` } })
    this.wte = new Embedding(vocabSize, hidden)
    this.wpe = new Embedding(maxPositions, hidden)
    this.h = Array.from({ length: layers }, (_, layer) => new Gpt2Block(config, layer))
    this.ln_f = new LayerNorm(hidden, eps)
  }

  parts() {
    return { embeddings: this.wte, layers: this.h, norm: this.ln_f }
  }

  protected override embed(input: ForwardInput): Tensor {
    return ops.add(super.embed(input), this.wpe.call(input.positions))
  }

  protected step(input: ForwardInput): FusedHeadsStep {
    return { ...stepOf(input), qkv: fusedRows(input, consecutive(1, 1, 1)) }
  }
}

/** GPT-2 (Radford et al. 2019) under the names of its checkpoints. */
export class Gpt2ForCausalLM extends TransformerForCausalLM<Gpt2Model> {
  constructor(config: Gpt2Config) {
    const transformer = new Gpt2Model(config)
    super(transformer, languageHead(config, transformer.wte))
  }
}
