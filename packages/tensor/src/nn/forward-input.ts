import type { Backend } from '../backend.js'
import { segments } from '../tensor/segments.js'
import { tensor } from '../tensor/create.js'
import type { Tensor } from '../tensor/tensor.js'
import type { CausalLM, ForwardInput } from './causal-lm.js'
import { PackedKv, SharedPrefixKv, type KeysAndValues, type KvSource } from './kv.js'
import type { PagedStep } from './paged-kv-cache.js'
import { promptLayout, type KeysAhead, type PromptSpan } from './prompt-layout.js'

/** New rows of some sequences, sequence after sequence: N in all. */
export interface InputRows {
  /** [N]: token ids. */
  readonly ids?: ArrayLike<number> | undefined
  /** [N, C]: in the place of ids, for virtual tokens. */
  readonly embeds?: Tensor | undefined
  /** New rows of each sequence. */
  readonly lengths: readonly number[]
  /** Where they go in a paged cache, which then says their positions; absent when the sequences are whole. */
  readonly step?: PagedStep
  /** [N]: place of each row in its sequence; counted from 0 when absent. */
  readonly positions?: Int32Array
  /** For each sequence, the index of the sequence that holds its beginning, or -1. */
  readonly prefixes?: readonly number[] | undefined
  /** Keys and values in front of every sequence, for each layer. */
  readonly given?: readonly KeysAndValues[] | undefined
  /** Source of keys and values, where it is neither the pages of `step` nor the rows themselves. */
  readonly kv?: KvSource | undefined
  /** [M]: rows whose hidden states are wanted; all when absent. */
  readonly outputRows?: ArrayLike<number>
  /** For each sequence, the part that is read in both directions, for models with `promptOf`. */
  readonly prompts?: readonly PromptSpan[] | undefined
  /** Rows that each sequence had before, for `prompts`; none when absent. */
  readonly starts?: readonly number[]
  /** Keys in front of the rows of every sequence, for `prompts`; none when absent. */
  readonly ahead?: KeysAhead | undefined
}

/** Parts of whole sequences that are read in both directions; undefined for a model that reads in one. */
export const promptsOf = (
  model: Pick<CausalLM, 'promptOf'>,
  sequences: readonly ArrayLike<number>[],
): PromptSpan[] | undefined => model.promptOf && sequences.map((ids) => model.promptOf!(ids))

/** Place of each row in its sequence, counted from 0. */
export const placesOf = (lengths: readonly number[]): Int32Array =>
  Int32Array.from(lengths.flatMap((length) => Array.from({ length }, (_, i) => i)))

/** The input of a forward pass, on the device. Its tensors belong to the scope it is made in. */
export function forwardInput(backend: Backend, rows: InputRows): ForwardInput {
  const { ids, embeds, lengths, step, prefixes, given, outputRows, prompts, starts, ahead } = rows
  const indices = (values: ArrayLike<number>) => tensor(backend, values, [values.length], 'i32')
  const place = step ?? wholeSequences(backend, rows)
  const kv =
    rows.kv ??
    step ??
    (prefixes || given ? new SharedPrefixKv(place.segments, prefixes, given) : new PackedKv(place.segments))
  return {
    ...(ids && { ids: indices(ids) }),
    ...(embeds && { embeds }),
    positions: place.positions,
    segments: place.segments,
    kv,
    maxPosition: place.maxPosition,
    ...(outputRows && { outputRows: indices(outputRows) }),
    ...(prompts && { prompts: promptLayout(backend, prompts, lengths, starts, ahead) }),
  }
}

function wholeSequences(backend: Backend, { lengths, positions = placesOf(lengths) }: InputRows) {
  return {
    segments: segments(backend, lengths),
    positions: tensor(backend, positions, [positions.length], 'i32'),
    maxPosition: positions.reduce((most, position) => Math.max(most, position + 1), 0),
  }
}
