import {
  DecoderForCausalLM,
  DecoderModel,
  GatedMLP,
  languageHead,
  PreNormLayer,
  RotaryAttention,
  rotationOf,
  stepOf,
  type RotaryStep,
} from '@ift/core/model'
import { RMSNorm } from '@ift/tensor'
import type { InternLMConfig } from './config.js'

/** InternLM under the names of its checkpoints; in the 7B with biases everywhere in attention. */
export class InternLMForCausalLM extends DecoderForCausalLM<RotaryStep> {
  constructor(config: InternLMConfig) {
    const { hidden, eps, headDim, rope, attentionBias: bias } = config
    const norm = () => new RMSNorm(hidden, eps)
    const model = new DecoderModel<RotaryStep>(config, {
      layer: (index) => {
        const attention = new RotaryAttention(config, index, { bias, outputBias: bias })
        return new PreNormLayer(attention, new GatedMLP(config), norm)
      },
      norm,
      step: (input) => ({ ...stepOf(input), rotation: rotationOf(input, rope, headDim) }),
      ropes: [rope],
    })
    super(model, languageHead(config, model.embed_tokens))
  }
}
