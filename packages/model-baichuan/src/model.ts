import {
  alibiSlopes,
  consecutive,
  DecoderForCausalLM,
  DecoderModel,
  fusedRows,
  GatedMLP,
  languageHead,
  PreNormLayer,
  rotationOf,
  stepOf,
} from '@ift/core/model'
import { RMSNorm, tensor, type ForwardInput } from '@ift/tensor'
import { BaichuanAttention, type BaichuanStep } from './attention.js'
import type { BaichuanConfig } from './config.js'
import { NormHead } from './norm-head.js'

/** Queries, keys and values one after the other, each a row of the hidden size. */
const layout = consecutive(1, 1, 1)

/** No published Baichuan has other angles. */
const rope = { kind: 'default', theta: 10000 } as const

function step(input: ForwardInput, { heads, headDim, positions }: BaichuanConfig): BaichuanStep {
  const common = { ...stepOf(input), qkv: fusedRows(input, layout) }
  return positions === 'alibi'
    ? { ...common, alibiSlopes: tensor(input.positions.backend, alibiSlopes(heads), [heads]) }
    : { ...common, rotation: rotationOf(input, rope, headDim) }
}

/** Baichuan and Baichuan2 under the names of their checkpoints. */
export class BaichuanForCausalLM extends DecoderForCausalLM<BaichuanStep> {
  constructor(config: BaichuanConfig) {
    const { hidden, vocabSize, eps, normHead } = config
    const norm = () => new RMSNorm(hidden, eps)
    const model = new DecoderModel<BaichuanStep>(config, {
      layer: (index) => new PreNormLayer(new BaichuanAttention(config, index), new GatedMLP(config), norm),
      norm,
      step: (input) => step(input, config),
    })
    super(model, normHead ? new NormHead(hidden, vocabSize) : languageHead(config, model.embed_tokens))
  }
}
