import type { AttentionOptions } from '../ops/attention.js'
import { attention } from '../ops/attention.js'
import { IftError } from '../errors.js'
import { gatherRepeatedRows } from '../ops/gather-rows.js'
import { tensor } from '../tensor/create.js'
import { segments, type Segments } from '../tensor/segments.js'
import type { Tensor } from '../tensor/tensor.js'

/** Where attention finds keys and values: the seam for caches and learned prefixes. */
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

/**
 * Sequences that may continue the rows of another one: sequence s attends to the rows of sequence prefixes[s] (none
 * when -1), then to its own. A common beginning is computed once, and its gradient is the sum over all sequences that
 * share it.
 */
export class SharedPrefixKv implements KvSource {
  readonly #q: Segments
  readonly #k: Segments
  /** i32 [rows of k]: where each key of a sequence stands among the rows of the batch. */
  readonly #rows: Tensor

  constructor(own: Segments, prefixes: readonly number[]) {
    const { lengths, count, cu } = own
    const starts = new Int32Array(count)
    for (let s = 1; s < count; s++) starts[s] = starts[s - 1]! + lengths[s - 1]!
    const before = lengths.map((_, s) => {
      const prefix = prefixes[s]!
      if (prefix < 0) return 0
      if (!(prefix < s) || prefixes[prefix]! >= 0)
        throw new IftError(
          'IFT_SHAPE',
          `SharedPrefixKv: sequence ${s} goes on from ${prefix}, expected an earlier one that goes on from none`,
        )
      return lengths[prefix]!
    })
    const all = lengths.map((length, s) => before[s]! + length)
    const rows = new Int32Array(all.reduce((sum, length) => sum + length, 0))
    let at = 0
    for (let s = 0; s < count; s++) {
      for (let i = 0; i < before[s]!; i++) rows[at++] = starts[prefixes[s]!]! + i
      for (let i = 0; i < lengths[s]!; i++) rows[at++] = starts[s]! + i
    }
    this.#q = own
    this.#k = segments(cu.backend, all)
    this.#rows = tensor(cu.backend, rows, [rows.length], 'i32')
  }

  attend(_layer: number, q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
    if (options.visiblePrefix !== undefined)
      throw new IftError(
        'IFT_SHAPE',
        'SharedPrefixKv: rows that see what comes after them cannot be shared by sequences that go on differently',
      )
    const { causal, scale, alibiSlopes } = options
    const [kvHeads, headDim] = [k.dim(1), k.dim(2)]
    const spread = (x: Tensor) =>
      gatherRepeatedRows(x.reshape(x.dim(0), kvHeads * headDim), this.#rows).reshape(-1, kvHeads, headDim)
    return attention(q, spread(k), spread(v), { q: this.#q, k: this.#k, causal, scale, alibiSlopes })
  }
}
