import type { AttentionOptions } from '../ops/attention.js'
import { attention } from '../ops/attention.js'
import type { Segments } from '../tensor/segments.js'
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
