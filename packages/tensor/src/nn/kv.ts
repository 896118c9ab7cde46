import type { AttentionOptions } from '../ops/attention.js'
import { attention } from '../ops/attention.js'
import { IftError } from '../errors.js'
import { concatRows } from '../ops/concat-rows.js'
import { gatherRepeatedRows } from '../ops/gather-rows.js'
import { tensor } from '../tensor/create.js'
import { segments, type Segments } from '../tensor/segments.js'
import type { Tensor } from '../tensor/tensor.js'

/** Where attention finds keys and values: the seam for caches and for keys and values that a method has learned. */
export interface KvSource {
  /** q [N, H, D] of the layer over its own k, v [N, Hkv, D] and whatever else the source holds -> [N, H, D]. */
  attend(layer: number, q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor
}

/** Every sequence attends to itself: training, and scoring of whole texts. */
export class PackedKv implements KvSource {
  constructor(readonly segments: Segments) {}

  attend(_layer: number, q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
    const { segments } = this
    const { causal, scale, visiblePrefix, alibiSlopes } = options
    return attention(q, k, v, { q: segments, k: segments, causal, scale, visiblePrefix, alibiSlopes })
  }
}

/** Keys and values of one layer: [rows, Hkv, D] each. */
export interface KeysAndValues {
  readonly k: Tensor
  readonly v: Tensor
}

/**
 * Sequences that may go on from another one: sequence s attends to all that sequence prefixes[s] attends to (nothing when -1), then to
 * its own rows. A common beginning is computed once, and its gradient is the sum over all sequences behind it. `given` stands in front of
 * every sequence, for each layer: keys and values that no row of the batch has, as they are.
 */
export class SharedPrefixKv implements KvSource {
  readonly #q: Segments
  readonly #k: Segments
  /** i32 [rows of k]: where each key of a sequence stands among the given ones and the rows of the batch. */
  readonly #rows: Tensor
  readonly #given: readonly KeysAndValues[] | undefined
  readonly #shared: boolean

  constructor(
    own: Segments,
    prefixes: readonly number[] = own.lengths.map(() => -1),
    given?: readonly KeysAndValues[],
  ) {
    const { lengths, count, cu } = own
    const ahead = given?.[0]?.k.dim(0) ?? 0
    const starts = new Int32Array(count)
    for (let s = 1; s < count; s++) starts[s] = starts[s - 1]! + lengths[s - 1]!
    /** For each sequence, those whose rows it sees, from the first one on. */
    const chains: (readonly number[])[] = []
    for (let s = 0; s < count; s++) {
      const prefix = prefixes[s]
      if (prefix !== -1 && chains[prefix!] === undefined)
        throw new IftError(
          'IFT_SHAPE',
          `SharedPrefixKv: sequence ${s} of ${count} goes on from ${prefix}, expected an earlier one, or -1`,
        )
      chains.push(prefix === -1 ? [s] : [...chains[prefix!]!, s])
    }
    const all = chains.map((chain) => chain.reduce((sum, s) => sum + lengths[s]!, ahead))
    const rows = new Int32Array(all.reduce((sum, length) => sum + length, 0))
    let at = 0
    for (const chain of chains) {
      for (let i = 0; i < ahead; i++) rows[at++] = i
      for (const s of chain) for (let i = 0; i < lengths[s]!; i++) rows[at++] = ahead + starts[s]! + i
    }
    this.#q = own
    this.#k = segments(cu.backend, all)
    this.#rows = tensor(cu.backend, rows, [rows.length], 'i32')
    this.#given = given
    this.#shared = prefixes.some((prefix) => prefix >= 0)
  }

  attend(layer: number, q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
    const { causal, scale, visiblePrefix, alibiSlopes } = options
    if (visiblePrefix !== undefined && this.#shared)
      throw new IftError(
        'IFT_SHAPE',
        'SharedPrefixKv: rows that see what comes after them cannot be shared by sequences that go on differently',
      )
    const given = this.#given?.[layer]
    if (this.#given !== undefined && given === undefined)
      throw new IftError(
        'IFT_SHAPE',
        `SharedPrefixKv: layer ${layer} has no given keys and values, which are of ${this.#given.length} layers`,
      )
    const [kvHeads, headDim] = [k.dim(1), k.dim(2)]
    const spread = (own: Tensor, ahead?: Tensor) => {
      const all = ahead === undefined ? own : concatRows([ahead, own])
      const flat = gatherRepeatedRows(all.reshape(all.dim(0), kvHeads * headDim), this.#rows)
      return flat.reshape(-1, kvHeads, headDim)
    }
    return attention(q, spread(k, given?.k), spread(v, given?.v), {
      ...{ q: this.#q, k: this.#k },
      ...{ causal, scale, visiblePrefix, alibiSlopes },
    })
  }
}
