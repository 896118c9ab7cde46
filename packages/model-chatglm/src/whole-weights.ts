import { configError, given, type ConfigJson } from '@ift/core/model'

/** Throws for a config.json of ChatGLM's own code whose checkpoint is a prefix alone, or holds integers in place of weights. */
export function requireWholeWeights(json: ConfigJson): void {
  if (given(json, 'pre_seq_len'))
    throw configError(
      'pre_seq_len',
      'null',
      json['pre_seq_len'],
      'A prefix of P-tuning v2 is an adapter: give its base as the model, and its folder as the adapter.',
    )
  if ((json['quantization_bit'] ?? 0) !== 0)
    throw configError('quantization_bit', '0', json['quantization_bit'], 'Use the checkpoint in float16.')
}
