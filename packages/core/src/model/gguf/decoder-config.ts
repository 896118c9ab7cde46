import type { GgufFacts } from '../../contract/gguf.js'
import { ggufKeys, ggufTokenId, ggufVocabulary, metadataError } from './metadata.js'
import { ggufRopeScaling } from './rope.js'

/**
 * config.json, in the names of LLaMA's, of the model that a GGUF file describes: sizes, norms, rotary positions and special
 * tokens. `architectures` and what else a family needs is added by it. Throws IFT_MODEL_CONFIG naming the key.
 */
export function ggufDecoderConfig(facts: GgufFacts): Record<string, unknown> {
  const keys = ggufKeys(facts)
  const { architecture, number, needed } = keys
  if ((number('expert_count') ?? 0) > 0)
    throw metadataError(
      `${architecture}.expert_count`,
      'nothing',
      number('expert_count'),
      'Mixtures of experts are not supported.',
    )
  const heads = needed('attention.head_count')
  const hidden = needed('embedding_length')
  const headDim = number('attention.key_length') ?? hidden / heads
  if ((number('attention.value_length') ?? headDim) !== headDim)
    throw metadataError(
      `${architecture}.attention.value_length`,
      `${headDim}, as attention.key_length`,
      number('attention.value_length'),
    )
  const context = needed('context_length')
  const theta = number('rope.freq_base') ?? 10000
  const dims = number('rope.dimension_count') ?? headDim
  const scaling = ggufRopeScaling(facts, keys, { theta, dims, context })
  return {
    model_type: architecture,
    vocab_size: ggufVocabulary(facts),
    hidden_size: hidden,
    intermediate_size: needed('feed_forward_length'),
    num_hidden_layers: needed('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: number('attention.head_count_kv') ?? heads,
    head_dim: headDim,
    max_position_embeddings: context,
    rms_norm_eps: needed('attention.layer_norm_rms_epsilon'),
    rope_theta: theta,
    ...(dims === headDim ? {} : { partial_rotary_factor: dims / headDim }),
    ...(scaling === undefined ? {} : { rope_scaling: scaling }),
    bos_token_id: ggufTokenId(facts, 'bos'),
    eos_token_id: ggufTokenId(facts, 'eos'),
  }
}
