import { IftError } from '@ift/core'

/** What a GPT-2 is made of, from its config.json. */
export interface Gpt2Config {
  readonly vocabSize: number
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  readonly maxPositions: number
  readonly eps: number
  readonly gelu: 'tanh' | 'erf'
  /** Attention scores divided by sqrt(head size), as everywhere but in some reproductions. */
  readonly scaleAttention: boolean
  /** Attention scores of layer i divided by i + 1 as well (Mistral's GPT-2, Stanford CRFM). */
  readonly scaleByLayer: boolean
  readonly tieWordEmbeddings: boolean
  /** Deviation of untrained weights. */
  readonly std: number
}

type Json = Readonly<Record<string, unknown>>

const fault = (field: string, expected: string, found: unknown, hint?: string): IftError =>
  new IftError(
    'IFT_MODEL_CONFIG',
    `config.json: ${field} expected ${expected}, found ${found === undefined ? 'nothing' : JSON.stringify(found)}.`,
    hint,
  )

function integer(json: Json, field: string, fallback?: number): number {
  const value = json[field] ?? fallback
  if (!Number.isSafeInteger(value) || (value as number) < 1)
    throw fault(field, 'a positive integer', json[field])
  return value as number
}

function positive(json: Json, field: string, fallback: number): number {
  const value = json[field] ?? fallback
  if (typeof value !== 'number' || !(value > 0 && value < Infinity))
    throw fault(field, 'a positive number', json[field])
  return value
}

function flag(json: Json, field: string, fallback: boolean): boolean {
  const value = json[field] ?? fallback
  if (typeof value !== 'boolean') throw fault(field, 'true or false', value)
  return value
}

const activations: Readonly<Record<string, 'tanh' | 'erf'>> = {
  gelu_new: 'tanh',
  gelu_pytorch_tanh: 'tanh',
  gelu: 'erf',
}

/** Reads config.json of `GPT2LMHeadModel`; the defaults are those of transformers' GPT2Config, sizes must be given. */
export function parseConfig(json: Json): Gpt2Config {
  const hidden = integer(json, 'n_embd')
  const heads = integer(json, 'n_head')
  if (hidden % heads !== 0) throw fault('n_embd', `a multiple of n_head (${heads})`, hidden)
  const activation = json['activation_function'] ?? 'gelu_new'
  const gelu = typeof activation === 'string' ? activations[activation] : undefined
  if (gelu === undefined)
    throw fault('activation_function', Object.keys(activations).join(' or '), activation)
  if (flag(json, 'add_cross_attention', false))
    throw fault('add_cross_attention', 'false', true, 'A decoder beside an encoder is not built.')
  return {
    vocabSize: integer(json, 'vocab_size'),
    hidden,
    intermediate: integer(json, 'n_inner', 4 * hidden),
    layers: integer(json, 'n_layer'),
    heads,
    maxPositions: integer(json, 'n_positions'),
    eps: positive(json, 'layer_norm_epsilon', 1e-5),
    gelu,
    scaleAttention: flag(json, 'scale_attn_weights', true),
    scaleByLayer: flag(json, 'scale_attn_by_inverse_layer_idx', false),
    tieWordEmbeddings: flag(json, 'tie_word_embeddings', true),
    std: positive(json, 'initializer_range', 0.02),
  }
}
