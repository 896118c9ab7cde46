import {
  consecutive,
  DecoderForCausalLM,
  DecoderModel,
  FusedGatedMLP,
  fusedRows,
  gateUpRows,
  languageHead,
  PreNormLayer,
  rotationOf,
  stepOf,
  windowLimit,
  type FusedGateStep,
  type FusedHeadsStep,
  type RotaryStep,
} from '@ift/core/model'
import { RMSNorm } from '@ift/tensor'
import { PhiAttention } from './attention.js'
import type { PhiConfig } from './config.js'

/** What every layer of a forward pass shares. */
type Step = RotaryStep & FusedHeadsStep & FusedGateStep

/** Phi-3 (Abdin et al. 2024, arXiv:2404.14219) and what has its form, under the names of its checkpoints. */
export class PhiForCausalLM extends DecoderForCausalLM<Step> {
  constructor(config: PhiConfig) {
    const { hidden, heads, kvHeads, rotaryDims, eps, rope, slidingWindow } = config
    const norm = () => new RMSNorm(hidden, eps)
    const layout = consecutive(heads, kvHeads, kvHeads)
    const model = new DecoderModel<Step>(config, {
      layer: (index) => new PreNormLayer(new PhiAttention(config, index), new FusedGatedMLP(config), norm),
      norm,
      step: (input) => ({
        ...stepOf(input),
        rotation: rotationOf(input, rope, rotaryDims),
        qkv: fusedRows(input, layout),
        gateUp: gateUpRows(input),
      }),
      ropes: [rope],
      limit: windowLimit(slidingWindow),
    })
    super(model, languageHead(config, model.embed_tokens))
  }
}
