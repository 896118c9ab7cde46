import { IftError } from '@ift/tensor'
import { parseRope, type RopeConfig } from './rope.js'

/** What a LLaMA is made of, from its config.json. */
export interface LlamaConfig {
  readonly vocabSize: number
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly eps: number
  readonly rope: RopeConfig
  readonly tieWordEmbeddings: boolean
  readonly attentionBias: boolean
  readonly mlpBias: boolean
  readonly maxPositions: number
  /** Keys that a query of Mistral sees at most; sequences up to this length need no window. */
  readonly slidingWindow: number | null
}

type Json = Readonly<Record<string, unknown>>

/** `IFT_MODEL_CONFIG`: field, what was expected, what was found. */
export const configError = (field: string, expected: string, found: unknown, hint?: string): IftError =>
  new IftError(
    'IFT_MODEL_CONFIG',
    `config.json: ${field} expected ${expected}, found ${found === undefined ? 'nothing' : JSON.stringify(found)}.`,
    hint,
  )

function integer(json: Json, field: string, fallback?: number): number {
  const value = json[field] ?? fallback
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    throw configError(field, 'a positive integer', json[field])
  }
  return value as number
}

/** A positive number. */
export function positive(json: Json, field: string, fallback?: number, name = field): number {
  const value = json[field] ?? fallback
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0) {
    throw configError(name, 'a positive number', json[field])
  }
  return value
}

function flag(json: Json, field: string): boolean {
  const value = json[field] ?? false
  if (typeof value !== 'boolean') throw configError(field, 'true or false', value)
  return value
}

/**
 * Reads config.json of LLaMA 1 to 3, Mistral, TinyLlama, SmolLM2 and others of this form. Defaults are those of
 * transformers' LlamaConfig; sizes must be given.
 */
export function parseConfig(json: Json): LlamaConfig {
  const hidden = integer(json, 'hidden_size')
  const heads = integer(json, 'num_attention_heads')
  const kvHeads = integer(json, 'num_key_value_heads', heads)
  if (heads % kvHeads !== 0) {
    throw configError('num_key_value_heads', `a divisor of num_attention_heads (${heads})`, kvHeads)
  }
  if ((json['head_dim'] ?? null) === null && hidden % heads !== 0) {
    throw configError(
      'hidden_size',
      `a multiple of num_attention_heads (${heads}), as there is no head_dim`,
      hidden,
    )
  }
  const headDim = integer(json, 'head_dim', hidden / heads)
  if (headDim % 2 !== 0) throw configError('head_dim', 'an even number', headDim)
  const act = json['hidden_act'] ?? 'silu'
  if (act !== 'silu') throw configError('hidden_act', '"silu"', act, 'This activation is of another family.')
  const maxPositions = integer(json, 'max_position_embeddings', 2048)
  const window = json['sliding_window'] ?? null
  const slidingWindow = window === null ? null : integer(json, 'sliding_window')
  return {
    vocabSize: integer(json, 'vocab_size'),
    hidden,
    intermediate: integer(json, 'intermediate_size'),
    layers: integer(json, 'num_hidden_layers'),
    heads,
    kvHeads,
    headDim,
    eps: positive(json, 'rms_norm_eps', 1e-6),
    rope: parseRope(json, headDim, maxPositions),
    tieWordEmbeddings: flag(json, 'tie_word_embeddings'),
    attentionBias: flag(json, 'attention_bias'),
    mlpBias: flag(json, 'mlp_bias'),
    maxPositions,
    slidingWindow: slidingWindow !== null && slidingWindow < maxPositions ? slidingWindow : null,
  }
}
