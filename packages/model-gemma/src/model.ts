import {
  DecoderForCausalLM,
  DecoderModel,
  GatedMLP,
  languageHead,
  PreNormLayer,
  rotationOf,
  stepOf,
  windowLimit,
} from '@ift/core/model'
import { ops, type Tensor } from '@ift/tensor'
import { GemmaAttention, type GemmaStep } from './attention.js'
import type { GemmaConfig } from './config.js'
import { Gemma3DecoderLayer } from './gemma3-layer.js'
import { GemmaRMSNorm } from './norm.js'

/** Gated by a GELU (GEGLU, Shazeer 2020, arXiv:2002.05202). gate, up [N, F] -> [N, F] */
const geglu = (gate: Tensor, up: Tensor): Tensor => ops.mul(ops.gelu(gate, 'tanh'), up)

/**
 * Gemma (Gemma Team 2024, arXiv:2403.08295) and Gemma 3 (Gemma Team 2025, arXiv:2503.19786), text, under the names of their
 * checkpoints.
 */
export class GemmaForCausalLM extends DecoderForCausalLM<GemmaStep> {
  constructor(config: GemmaConfig) {
    const { hidden, headDim, eps, rope, localRope, local, third, maxPositions } = config
    const norm = () => new GemmaRMSNorm(hidden, eps)
    const Layer = third ? Gemma3DecoderLayer : PreNormLayer<GemmaStep>
    const model = new DecoderModel<GemmaStep>(config, {
      layer: (index) =>
        new Layer(new GemmaAttention(config, index), new GatedMLP(config, { gate: geglu }), norm),
      norm,
      // Looked-up rows are scaled; as the head, the same table is not.
      embeddingScale: Math.sqrt(hidden),
      step: (input) => ({
        ...stepOf(input),
        rotation: rotationOf(input, rope, headDim),
        localRotation: rotationOf(input, localRope, headDim),
      }),
      ropes: [rope, localRope],
      limit: windowLimit(local.includes(true) ? maxPositions : null),
    })
    super(model, languageHead(config, model.embed_tokens))
  }
}
