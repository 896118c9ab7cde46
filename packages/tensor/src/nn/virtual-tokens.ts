import type { Backend } from '../backend.js'
import { IftError } from '../errors.js'
import { concatRows } from '../ops/concat-rows.js'
import { gatherRepeatedRows } from '../ops/gather-rows.js'
import { tensor } from '../tensor/create.js'
import { describe, type Tensor } from '../tensor/tensor.js'
import type { CausalLM } from './causal-lm.js'
import { placesOf, type InputRows } from './forward-input.js'
import type { KeysAndValues } from './kv.js'
import type { KeysAhead } from './prompt-layout.js'

/** Virtual tokens as rows in the place of embedded ids (prompt tuning, Lester et al. 2021, arXiv:2104.08691). */
export interface VirtualRows {
  /** Virtual tokens in front of every sequence. */
  readonly length: number
  /** [length, C], of the type of the activations; recorded where they are trained. Asked for once in a pass. */
  rows(): Tensor
}

/** Virtual tokens as keys and values of every layer (prefix tuning, Li and Liang 2021, arXiv:2101.00190). */
export interface VirtualKeys {
  /** Virtual tokens in front of every sequence. */
  readonly length: number
  /**
   * For each layer k and v [length, Hkv, D], of the type of the activations, as attention takes them: neither normed nor turned by their
   * positions. Recorded where they are trained. Asked for once in a pass.
   */
  keysAndValues(): readonly KeysAndValues[]
  /** Whether the tokens stand where they would stand without these in front; otherwise `length` places further. */
  readonly positionsFromZero?: boolean
}

/** What a method puts in front of every sequence. */
export type VirtualTokens = VirtualRows | VirtualKeys

/** Sequences that are whole, laid end to end. */
export interface WholeSequences extends Pick<
  InputRows,
  'lengths' | 'positions' | 'prefixes' | 'outputRows' | 'prompts'
> {
  readonly ids: ArrayLike<number>
  /**
   * Sequences whose first token is to be predicted too: the last virtual row in front of each is wanted, before `outputRows`. Needs virtual
   * rows.
   */
  readonly beginnings?: readonly number[]
}

/** Places that virtual tokens take in front of every sequence. */
export const placesTaken = (tokens: VirtualTokens): number =>
  'keysAndValues' in tokens && tokens.positionsFromZero === true ? 0 : tokens.length

/** Virtual keys as the layout of prompts counts them. */
export const keysAhead = (keys: VirtualKeys): KeysAhead => ({ keys: keys.length, shift: placesTaken(keys) })

/**
 * Sequences behind virtual tokens, for `forwardInput`. Rows are one more sequence that all others go on from; where prompts are read in
 * both directions, and the rows therefore see what follows, every sequence has its own copy. The rows that are wanted are those of `ids`.
 * Without virtual tokens the sequences are as they were.
 */
export function behindVirtualTokens(
  backend: Backend,
  { embeddings }: Pick<CausalLM, 'embeddings'>,
  tokens: VirtualTokens | undefined,
  sequences: WholeSequences,
): InputRows {
  if (tokens === undefined) return sequences
  const { ids, lengths, prefixes, prompts, outputRows, beginnings = [] } = sequences
  const places = sequences.positions ?? placesOf(lengths)
  const taken = placesTaken(tokens)
  if ('keysAndValues' in tokens)
    return {
      ...{ ids, lengths, prefixes, prompts, ...(outputRows && { outputRows }) },
      positions: places.map((place) => place + taken),
      given: tokens.keysAndValues(),
      ahead: keysAhead(tokens),
    }
  const wanted = outputRows === undefined ? Array.from(places.keys()) : Array.from(outputRows)
  const own = Array.from({ length: taken }, (_, i) => i)
  if (prompts === undefined)
    return {
      embeds: concatRows([rowsOf(tokens), embedded(backend, embeddings, ids)]),
      lengths: [taken, ...lengths],
      positions: Int32Array.from([...own, ...places.map((place) => place + taken)]),
      prefixes: [-1, ...lengths.map((_, s) => (prefixes?.[s] ?? -1) + 1)],
      outputRows: [...beginnings.map(() => taken - 1), ...wanted.map((row) => row + taken)],
    }
  /** Row of each id, and of the first id of each sequence. */
  const moved = new Int32Array(places.length)
  const first: number[] = []
  for (let s = 0, at = 0; s < lengths.length; s++) {
    first.push(at + taken * (s + 1))
    for (const end = at + lengths[s]!; at < end; at++) moved[at] = at + taken * (s + 1)
  }
  return {
    embeds: embedBehind(
      backend,
      embeddings,
      tokens,
      ids,
      lengths.map((rows) => ({ rows, begins: true })),
    ),
    lengths: lengths.map((rows) => rows + taken),
    prefixes,
    prompts: prompts.map(({ length, blank }) => ({ length: length + taken, blank: blank + taken })),
    outputRows: [...beginnings.map((s) => first[s]! - 1), ...wanted.map((row) => moved[row]!)],
  }
}

/** Embedded ids of some sequences, with a copy of the virtual rows in front of those that begin. */
export function embedBehind(
  backend: Backend,
  embeddings: CausalLM['embeddings'],
  tokens: VirtualRows,
  ids: ArrayLike<number>,
  sequences: readonly { readonly rows: number; readonly begins: boolean }[],
): Tensor {
  const index: number[] = []
  let at = tokens.length
  for (const { rows, begins } of sequences) {
    if (begins) for (let i = 0; i < tokens.length; i++) index.push(i)
    for (const end = at + rows; at < end; at++) index.push(at)
  }
  const all = concatRows([rowsOf(tokens), embedded(backend, embeddings, ids)])
  return gatherRepeatedRows(all, tensor(backend, index, [index.length], 'i32'))
}

const embedded = (backend: Backend, embeddings: CausalLM['embeddings'], ids: ArrayLike<number>): Tensor =>
  embeddings.call(tensor(backend, ids, [ids.length], 'i32'))

function rowsOf(tokens: VirtualRows): Tensor {
  const rows = tokens.rows()
  if (rows.shape.length !== 2 || rows.dim(0) !== tokens.length)
    throw new IftError(
      'IFT_SHAPE',
      `virtual rows expected [${tokens.length}, hidden size], found ${describe(rows)}`,
    )
  return rows
}
