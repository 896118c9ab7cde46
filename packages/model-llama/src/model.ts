import {
  DecoderForCausalLM,
  DecoderModel,
  GatedMLP,
  languageHead,
  PreNormLayer,
  RotaryAttention,
  rotationOf,
  stepOf,
  windowLimit,
  type RotaryStep,
} from '@ift/core/model'
import { RMSNorm } from '@ift/tensor'
import type { LlamaConfig } from './config.js'

/** LLaMA (Touvron et al. 2023, arXiv:2302.13971) under the names of its checkpoints. */
export class LlamaForCausalLM extends DecoderForCausalLM<RotaryStep> {
  constructor(config: LlamaConfig) {
    const { hidden, eps, headDim, rope, attentionBias, mlpBias, slidingWindow } = config
    const norm = () => new RMSNorm(hidden, eps)
    const attention = { bias: attentionBias, outputBias: attentionBias }
    const model = new DecoderModel<RotaryStep>(config, {
      layer: (index) =>
        new PreNormLayer(
          new RotaryAttention(config, index, attention),
          new GatedMLP(config, { bias: mlpBias }),
          norm,
        ),
      norm,
      step: (input) => ({ ...stepOf(input), rotation: rotationOf(input, rope, headDim) }),
      ropes: [rope],
      limit: windowLimit(slidingWindow),
    })
    super(model, languageHead(config, model.embed_tokens))
  }
}
