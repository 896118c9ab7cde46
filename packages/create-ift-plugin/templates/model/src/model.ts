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
import type { __Name__Config } from './config.js'

/** Layers of attention and a gated feed-forward network, each behind a norm. Fields have the names of the checkpoint's tensors. */
export class __Name__ForCausalLM extends DecoderForCausalLM<RotaryStep> {
  constructor(config: __Name__Config) {
    const { hidden, eps, headDim, rope } = config
    const norm = () => new RMSNorm(hidden, eps)
    const model = new DecoderModel<RotaryStep>(config, {
      layer: (index) => new PreNormLayer(new RotaryAttention(config, index), new GatedMLP(config), norm),
      norm,
      step: (input) => ({ ...stepOf(input), rotation: rotationOf(input, rope, headDim) }),
      ropes: [rope],
    })
    super(model, languageHead(config, model.embed_tokens))
  }
}
