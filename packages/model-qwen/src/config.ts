import { IftError } from '@ift/tensor'

/** What a Qwen is made of, from its config.json. */
export interface QwenConfig {
  readonly vocabSize: number
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly eps: number
  readonly ropeTheta: number
  readonly tieWordEmbeddings: boolean
  /** Biases of q, k and v: always in Qwen2, by `attention_bias` in Qwen3. */
  readonly qkvBias: boolean
  readonly outputBias: boolean
  /** RMSNorm over each head of q and k (Qwen3). */
  readonly headNorms: boolean
  readonly maxPositions: number
}

type Json = Readonly<Record<string, unknown>>

/** `IFT_MODEL_CONFIG`: field, what was expected, what was found. */
const configError = (field: string, expected: string, found: unknown, hint?: string): IftError =>
  new IftError(
    'IFT_MODEL_CONFIG',
    `config.json: ${field} expected ${expected}, found ${found === undefined ? 'nothing' : JSON.stringify(found)}.`,
    hint,
  )

function integer(json: Json, field: string, fallback?: number): number {
  const value = json[field] ?? fallback
  if (!Number.isSafeInteger(value) || (value as number) < 1)
    throw configError(field, 'a positive integer', json[field])
  return value as number
}

function positive(json: Json, field: string, fallback: number): number {
  const value = json[field] ?? fallback
  if (typeof value !== 'number' || !Number.isFinite(value) || value <= 0)
    throw configError(field, 'a positive number', value)
  return value
}

function flag(json: Json, field: string): boolean {
  const value = json[field] ?? false
  if (typeof value !== 'boolean') throw configError(field, 'true or false', value)
  return value
}

/** theta of `rope_theta`, or of `rope_parameters`, which transformers 5 writes in its place. */
function ropeTheta(json: Json): number {
  const field = (json['rope_parameters'] ?? null) === null ? 'rope_scaling' : 'rope_parameters'
  const given = json[field] ?? {}
  if (typeof given !== 'object' || Array.isArray(given)) throw configError(field, 'an object', given)
  const scaling = given as Json
  const kind = scaling['rope_type'] ?? scaling['type'] ?? 'default'
  if (kind !== 'default')
    throw configError(
      `${field}.rope_type`,
      '"default"',
      kind,
      'Remove the field to use the context that the model was trained with.',
    )
  return positive(scaling['rope_theta'] === undefined ? json : scaling, 'rope_theta', 10000)
}

/** The first position that not every layer may attend to all of, or null: windows bound later layers alone. */
function slidingWindow(json: Json, layers: number): number | null {
  if (!flag(json, 'use_sliding_window') || (json['sliding_window'] ?? null) === null) return null
  const full = json['max_window_layers'] ?? 28
  if (!Number.isSafeInteger(full) || (full as number) < 0)
    throw configError('max_window_layers', 'a whole number', full)
  return (full as number) < layers ? integer(json, 'sliding_window') : null
}

/** Reads config.json of Qwen2, Qwen2.5 and Qwen3, dense. Sizes must be given; other defaults are transformers'. */
export function parseConfig(json: Json): QwenConfig {
  const third = json['model_type'] === 'qwen3' || String(json['architectures']).includes('Qwen3')
  const hidden = integer(json, 'hidden_size')
  const heads = integer(json, 'num_attention_heads')
  const kvHeads = integer(json, 'num_key_value_heads', heads)
  if (heads % kvHeads !== 0)
    throw configError('num_key_value_heads', `a divisor of num_attention_heads (${heads})`, kvHeads)
  const ownHeadDim = (json['head_dim'] ?? null) !== null
  if (!ownHeadDim && !third && hidden % heads !== 0)
    throw configError('hidden_size', `a multiple of num_attention_heads (${heads}), as there is no head_dim`, hidden)
  const headDim = integer(json, 'head_dim', third ? 128 : hidden / heads)
  if (headDim % 2 !== 0) throw configError('head_dim', 'an even number', headDim)
  const act = json['hidden_act'] ?? 'silu'
  if (act !== 'silu') throw configError('hidden_act', '"silu"', act, 'This activation is of another family.')
  const layers = integer(json, 'num_hidden_layers')
  const maxPositions = integer(json, 'max_position_embeddings', 32768)
  return {
    vocabSize: integer(json, 'vocab_size'),
    hidden,
    intermediate: integer(json, 'intermediate_size'),
    layers,
    heads,
    kvHeads,
    headDim,
    eps: positive(json, 'rms_norm_eps', 1e-6),
    ropeTheta: ropeTheta(json),
    tieWordEmbeddings: flag(json, 'tie_word_embeddings'),
    qkvBias: third ? flag(json, 'attention_bias') : true,
    outputBias: third && flag(json, 'attention_bias'),
    headNorms: third,
    // Up to the window it bounds nothing; beyond it is not built.
    maxPositions: Math.min(maxPositions, slidingWindow(json, layers) ?? maxPositions),
  }
}
