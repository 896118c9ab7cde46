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
import type { QwenConfig } from './config.js'

/**
 * Qwen2 (Yang et al. 2024, arXiv:2407.10671) and Qwen3 (Yang et al. 2025, arXiv:2505.09388), dense, under the names of their
 * checkpoints: biases of q, k and v in the one, normed heads of q and k in the other.
 */
export class QwenForCausalLM extends DecoderForCausalLM<RotaryStep> {
  constructor(config: QwenConfig) {
    const { hidden, eps, headDim, rope, qkvBias, outputBias, headNorms } = config
    const norm = () => new RMSNorm(hidden, eps)
    const headNorm = headNorms ? (dim: number) => new RMSNorm(dim, eps) : undefined
    const attention = { bias: qkvBias, outputBias, headNorm }
    const model = new DecoderModel<RotaryStep>(config, {
      layer: (index) =>
        new PreNormLayer(new RotaryAttention(config, index, attention), new GatedMLP(config), norm),
      norm,
      step: (input) => ({ ...stepOf(input), rotation: rotationOf(input, rope, headDim) }),
      ropes: [rope],
    })
    super(model, languageHead(config, model.embed_tokens))
  }
}
